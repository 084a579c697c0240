"""The models that are checked: for each, a function that builds a random one with its batch.

To check another model, add a function that returns the loss as a function of the parameters.
"""

import copy
from functools import partial

from kvnet.backend import to_numpy
from kvnet.data.batch import Batch, Context
from kvnet.data.fact_data import FactBatch
from kvnet.gradcheck.cases import Case, RandomArrays, Subject, registering
from kvnet.gradcheck.checked_operations import asked_entities, candidates_and_answers, fact_index
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.models import (
    FactChainConfig,
    FactChainNetwork,
    FactMemoryConfig,
    FactMemoryNetwork,
    KeyValueConfig,
    KeyValueMemoryNetwork,
    LanguageModelConfig,
    MemN2N,
    MemN2NConfig,
    MemN2NLanguageModel,
)
from kvnet.models.key_value_memory_network import READERS
from kvnet.models.memn2n import ENCODINGS, TYINGS
from kvnet.operations import Operations
from kvnet.updates.as_vector import as_vector
from kvnet.updates.row_gradient import dense

LOSSES = (
    "answer_loss",
    "answer_set_cross_entropy",
    "answer_set_loss",
    "word_cross_entropy",
)  # the last operation of every model is one of them
STEP = 3  # training step, which seeds dropout
MODELS: dict[str, Subject] = {}
model = registering(MODELS)


class Computed(BaseException):
    """Ends `loss_and_gradient` when it has computed the loss."""


def loss_at(model, batch, params):
    """Return a model's training loss with other parameters, and its backward pass."""
    moved = copy.copy(model)
    moved.set_theta(as_vector(model.xp, params))
    loss = loss_only(moved, batch)

    def backward(d_loss):
        same, gradients = moved.loss_and_gradient(batch, STEP)
        if same != loss:
            raise GradientError(f"the loss is {same}, but that of its last operation is {loss}")
        gradients = dense(model.xp, gradients, params)
        return {name: d_loss * gradient for name, gradient in gradients.items()}

    return loss, backward


def loss_only(model, batch):
    """Return a model's training loss, without the gradients: they take most of the time."""

    def ending(operation):
        def loss(*inputs, **options):
            raise Computed(operation(*inputs, **options)[0])

        return loss

    alone = copy.copy(model)
    losses = {name: ending(getattr(model.ops, name)) for name in LOSSES}
    alone.ops = Operations(**{**vars(model.ops), **losses})
    try:
        alone.loss_and_gradient(batch, STEP)
    except Computed as computed:
        return computed.args[0]
    raise ValueError(f"{type(model).__name__} computes its loss by none of {', '.join(LOSSES)}")


def placed(a: RandomArrays) -> dict:
    """Return where the model runs: fused operations do not accept complex numbers."""
    return {"backend": a.xp.__name__, "kernels": "reference"}


def random_params(a: RandomArrays, network, size: float = 1.0) -> dict:
    """Draw parameters, nil rows included: a model must read those as zero."""
    return {
        name: a.normal(*theta.shape, size=size * theta.shape[-1] ** -0.5)
        for name, theta in network.params.items()
    }


@model(reader=READERS, values=("are-keys", "apart"), mask_padding=(False, True))
def key_value_memory_network(
    a: RandomArrays, reader, values, mask_padding, words, keep_prob, B, M, S, V, E, F, H, spare
) -> Case:
    """Check a whole model: its readers, keys that are the values or not, its mask, its dropout."""
    config = KeyValueConfig(
        vocabulary_size=V,
        sentence_size=S,
        memory_size=M + spare,  # a memory may have more slots than a batch fills
        embedding_size=E,
        feature_size=F,
        hops=H,
        reader=reader,
        keep_prob=keep_prob if reader == "simple_gru" else 1.0,  # bow has no dropout
        mask_padding=mask_padding,
        dtype=a.dtype,
    )
    network = KeyValueMemoryNetwork(config, **placed(a))
    keys = a.on_host.words(words, V, B, M, S)
    batch = Batch.of_words(
        a.on_host.words(words, V, B, S),
        keys,
        keys if values == "are-keys" else a.on_host.words(words, V, B, M, S),
        a.rng.integers(0, V, B),
        a.xp,
    )
    return Case(partial(loss_at, network, batch), (random_params(a, network),))


@model()
def memn2n_language_model(a: RandomArrays, linear_size, keep_prob, B, M, V, E, H) -> Case:
    """Check a whole language model, with some words of its vocabulary in the contexts."""
    config = LanguageModelConfig(
        vocabulary_size=V,
        embedding_size=E,
        linear_size=min(linear_size, E),
        hops=H,
        memory_size=M,
        dropout=1 - keep_prob,
        word_dropout=(1 - keep_prob) / 2,
        dtype=a.dtype,
    )
    network = MemN2NLanguageModel(config, **placed(a))
    words, slots = a.xp.unique(a.xp.asarray(a.rng.integers(0, V, (B, M))), return_inverse=True)
    target = a.xp.asarray(a.rng.integers(0, V, B))
    context = Context(words, slots.reshape(B, M), target)
    return Case(partial(loss_at, network, context), (random_params(a, network),))


@model(tying=TYINGS, encoding=ENCODINGS, linear=(False, True))
def memn2n(a: RandomArrays, tying, encoding, linear, words, B, M, S, V, E, H) -> Case:
    """Check a whole MemN2N: tyings and encodings, with time gaps, with and without the softmax."""
    config = MemN2NConfig(
        vocabulary_size=V,
        sentence_size=S,
        memory_size=M,
        embedding_size=E,
        hops=H,
        tying=tying,
        encoding=encoding,
        time_noise=0.5,
        dtype=a.dtype,
    )
    network = MemN2N(config, **placed(a))
    network.with_softmax = not linear
    keys = a.on_host.words(words, V, B, M, S)
    answer = a.rng.integers(0, V, B)
    batch = Batch.of_words(a.on_host.words(words, V, B, S), keys, keys, answer, a.xp)
    size = 0.1 if linear else 0.4  # without a softmax, scores grow from hop to hop
    return Case(partial(loss_at, network, batch), (random_params(a, network, size),))


def fact_batch(a: RandomArrays, words, B, M, S, V, N) -> FactBatch:
    """Draw questions with padded texts about a base of N entities and V relations.

    A fact of the entity that a question is about has one of its answers: with none among the
    candidates, a loss is 0 for any parameters.
    """
    present = a.xp.arange(V)
    texts = a.words(words, V, B + 1, S)
    rows = a.xp.asarray(a.rng.integers(0, B + 1, B))
    _, answers, answer_starts = candidates_and_answers(a, B, N)
    asked, index = asked_entities(a, N, B), fact_index(a, N, M, V)
    right, firsts, entities, subjects = map(to_numpy, (answers, answer_starts, index[2], asked))
    for b in range(B):
        reached = entities[M * subjects[b] + a.rng.integers(0, M)]
        if reached not in right[firsts[b] : firsts[b + 1]]:
            right[firsts[b]] = reached
    return FactBatch(present, texts, rows, asked, a.xp.asarray(right), answer_starts, index)


@model()
def fact_chain_network(a: RandomArrays, H, words, B, M, S, V, N, E) -> Case:
    """Check a whole network that follows chains of facts."""
    config = FactChainConfig(
        vocabulary_size=V, relations=V, embedding_size=E, hops=H, least_weight=0.0, dtype=a.dtype
    )
    network = FactChainNetwork(config, **placed(a))
    batch = fact_batch(a, words, B, M, S, V, N)
    size = 0.4  # so that no fact is almost certain, whose doubts cancel
    return Case(partial(loss_at, network, batch), (random_params(a, network, size),))


@model()
def fact_memory_network(a: RandomArrays, words, B, M, S, V, N, E, H, spare) -> Case:
    """Check a whole network with one memory per question; some entities are new."""
    config = FactMemoryConfig(
        vocabulary_size=V,
        relations=V,
        entities=max(1, N + 1 - spare),  # two at least: the only candidate would be certain
        embedding_size=E,
        hops=H,
        memory_steps=2,
        memory_size=2 * M,
        dtype=a.dtype,
    )
    network = FactMemoryNetwork(config, **placed(a))
    batch = fact_batch(a, words, B, M, S, V, N + 1)
    return Case(partial(loss_at, network, batch), (random_params(a, network),))
