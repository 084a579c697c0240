"""The models that are checked: for each, how a random one with its batch is built.

A new model is one function more: it returns the loss as a function of the parameters.
"""

import copy
from functools import partial

from kvnet.models import Batch, KeyValueMemoryNetwork
from kvnet.models.key_value_memory_network import READERS
from kvnet.parameter_vector import as_vector, by_name

from .cases import Case, RandomArrays, Subject, registering

STEP = 3  # of the training, which dropout's random numbers hang on
L2_LAMBDA = 0.1
MODELS: dict[str, Subject] = {}
model = registering(MODELS)


def loss_at(model, batch, params):
    """Return a model's training loss with other parameters, and its backward pass."""
    moved = copy.copy(model)
    moved.theta = as_vector(model.xp, params)
    moved.params = by_name(moved.theta, model.shapes)
    loss, gradient = moved.loss_and_gradient(batch, L2_LAMBDA, STEP)
    return loss, lambda d_loss: by_name(d_loss * gradient, model.shapes)


@model(reader=READERS, values=("are-keys", "apart"), mask_padding=(False, True))
def key_value_memory_network(
    a: RandomArrays, reader, values, mask_padding, words, keep_prob, B, M, S, V, E, F, H, spare
) -> Case:
    """Take a whole model: its readers, keys that are the values or not, its mask, its dropout."""
    network = KeyValueMemoryNetwork(
        V,
        S,
        M + spare,  # a memory may have more slots than a batch fills
        E,
        F,
        H,
        reader,
        keep_prob if reader == "simple_gru" else 1.0,  # bow has no dropout
        mask_padding,
        backend=a.xp.__name__,
        dtype=a.dtype,
        kernels="reference",  # the fused ones take no complex numbers
    )
    # The nil rows too are filled: that they are read as zero has to show in the gradient.
    params = {
        name: a.normal(*theta.shape, size=theta.shape[-1] ** -0.5)
        for name, theta in network.params.items()
    }
    keys = a.words(words, V, B, M, S)
    batch = Batch.of_words(
        a.words(words, V, B, S),
        keys,
        keys if values == "are-keys" else a.words(words, V, B, M, S),
        a.xp.asarray(a.rng.integers(0, V, B)),
    )
    return Case(partial(loss_at, network, batch), (params,))
