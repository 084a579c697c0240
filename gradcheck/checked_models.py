"""The models that are checked: for each, how a random one with its batch is built.

A new model is one function more: it returns the loss as a function of the parameters.
"""

import copy
from functools import partial

from kvnet.models import Batch, Context, KeyValueMemoryNetwork, MemN2N, MemN2NLanguageModel
from kvnet.models.key_value_memory_network import READERS
from kvnet.models.memn2n import ENCODINGS, TYINGS
from kvnet.parameter_vector import as_vector, by_name
from kvnet.row_gradient import RowGradient

from .cases import Case, RandomArrays, Subject, registering

STEP = 3  # of the training, which dropout's random numbers hang on
L2_LAMBDA = 0.1
MODELS: dict[str, Subject] = {}
model = registering(MODELS)


def loss_at(model, batch, params, **options):
    """Return a model's training loss with other parameters, and its backward pass."""
    moved = copy.copy(model)
    moved.theta = as_vector(model.xp, params)
    moved.params = by_name(moved.theta, model.shapes)
    loss, gradient = moved.loss_and_gradient(batch, **options)
    if not isinstance(gradient, dict):
        gradient = by_name(gradient, model.shapes)

    def backward(d_loss):
        return {name: d_loss * whole(model.xp, g, params[name]) for name, g in gradient.items()}

    return loss, backward


def whole(xp, gradient, theta):
    """Return a gradient as an array, whether or not it is one of some rows only."""
    return gradient.whole(xp, theta) if isinstance(gradient, RowGradient) else gradient


def random_params(a: RandomArrays, network, size: float = 1.0) -> dict:
    """Draw parameters: nil rows too, since that they are read as zero has to show."""
    return {
        name: a.normal(*theta.shape, size=size * theta.shape[-1] ** -0.5)
        for name, theta in network.params.items()
    }


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
    keys = a.on_host.words(words, V, B, M, S)
    batch = Batch.of_words(
        a.on_host.words(words, V, B, S),
        keys,
        keys if values == "are-keys" else a.on_host.words(words, V, B, M, S),
        a.rng.integers(0, V, B),
        a.xp,
    )
    loss = partial(loss_at, network, batch, l2_lambda=L2_LAMBDA, step=STEP)
    return Case(loss, (random_params(a, network),))


@model()
def memn2n_language_model(a: RandomArrays, linear_size, keep_prob, B, M, V, E, H) -> Case:
    """Take a whole language model, with some words of its vocabulary in the contexts."""
    rates = {"dropout": 1 - keep_prob, "word_dropout": (1 - keep_prob) / 2}
    where = {"backend": a.xp.__name__, "dtype": a.dtype, "kernels": "reference"}
    network = MemN2NLanguageModel(V, E, min(linear_size, E), H, M, **rates, **where)
    words, slots = a.xp.unique(a.xp.asarray(a.rng.integers(0, V, (B, M))), return_inverse=True)
    target = a.xp.asarray(a.rng.integers(0, V, B))
    context = Context(words, slots.reshape(B, M), target)
    return Case(partial(loss_at, network, context, step=STEP), (random_params(a, network),))


@model(tying=TYINGS, encoding=ENCODINGS, linear=(False, True))
def memn2n(a: RandomArrays, tying, encoding, linear, words, B, M, S, V, E, H) -> Case:
    """Take a whole MemN2N: its tyings and encodings, with blanks, with the softmax and without."""
    network = MemN2N(
        V,
        S,
        M,
        E,
        H,
        tying,
        encoding,
        0.5,
        backend=a.xp.__name__,
        dtype=a.dtype,
        kernels="reference",
    )
    keys = a.on_host.words(words, V, B, M, S)
    answer = a.rng.integers(0, V, B)
    batch = Batch.of_words(a.on_host.words(words, V, B, S), keys, keys, answer, a.xp)
    loss = partial(loss_at, network, batch, step=STEP, linear=linear)
    size = 0.1 if linear else 0.4  # without a softmax scores multiply up from hop to hop
    return Case(loss, (random_params(a, network, size),))
