"""Small models of every kind in float64, and random batches for them."""

from dataclasses import replace

import numpy

from kvnet.data.batch import Batch
from kvnet.data.fact_data import FactBatch
from kvnet.data.text import Text
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

KEY_VALUE = KeyValueConfig(
    vocabulary_size=13,
    sentence_size=4,
    memory_size=5,
    embedding_size=6,
    feature_size=7,
    hops=3,
    dtype="float64",
)
MEMN2N = MemN2NConfig(
    vocabulary_size=13, sentence_size=4, memory_size=5, embedding_size=6, hops=3, dtype="float64"
)
LANGUAGE_MODEL = LanguageModelConfig(
    vocabulary_size=11,
    embedding_size=6,
    linear_size=3,
    hops=2,
    memory_size=4,
    init_std=0.5,
    dtype="float64",
)
FACT_CHAIN = FactChainConfig(
    vocabulary_size=7, relations=4, embedding_size=6, hops=3, dtype="float64"
)
FACT_MEMORY = FactMemoryConfig(
    vocabulary_size=7,
    relations=4,
    entities=9,
    embedding_size=6,
    hops=3,
    memory_steps=2,
    dtype="float64",
)
MODELS = {
    FactChainNetwork: FACT_CHAIN,
    FactMemoryNetwork: FACT_MEMORY,
    KeyValueMemoryNetwork: KEY_VALUE,
    MemN2N: MEMN2N,
    MemN2NLanguageModel: LANGUAGE_MODEL,
}


def key_value_model(backend="numpy", kernels="auto", **changes):
    return KeyValueMemoryNetwork(replace(KEY_VALUE, **changes), backend, kernels)


def memn2n_model(backend="numpy", kernels="auto", **changes):
    return MemN2N(replace(MEMN2N, **changes), backend, kernels)


def language_model(backend="numpy", kernels="auto", **changes):
    return MemN2NLanguageModel(replace(LANGUAGE_MODEL, **changes), backend, kernels)


def random_batch(rng, same=True, B=3, M=5, S=4, V=13):
    """Draw questions about memories with padded sentences.

    The last two slots are empty, except that one story has one sentence more than the others.
    """

    def sentences(*shape):
        words = rng.integers(1, V, (*shape, S))
        words[..., S - 1] *= rng.integers(0, 2, shape)
        return words

    keys = sentences(B, M)
    keys[:, M - 2 :] = 0
    keys[0, M - 2, 0] = 1
    values = keys if same else sentences(B, M) * (keys.any(axis=-1, keepdims=True))
    return Batch.of_words(sentences(B), keys, values, rng.integers(1, V, B))


def random_text(rng, length=60):
    """Draw a text for `language_model`."""
    config = LANGUAGE_MODEL
    ids = rng.integers(0, config.vocabulary_size, length).astype("int32")
    return Text(ids, config.memory_size, config.vocabulary_size)


def fact_chain_model(backend="numpy", kernels="auto", **changes):
    return FactChainNetwork(replace(FACT_CHAIN, **changes), backend, kernels)


def fact_memory_model(backend="numpy", kernels="auto", **changes):
    return FactMemoryNetwork(replace(FACT_MEMORY, **changes), backend, kernels)


def random_fact_batch(rng, B=3):
    """Draw questions about a base of 9 entities with two facts each, in both directions."""
    subjects, objects = numpy.arange(9), rng.integers(0, 9, 9)
    keys = numpy.concatenate([subjects, objects])
    relations = numpy.concatenate([rng.integers(0, 2, 9), rng.integers(2, 4, 9)])
    order = numpy.argsort(keys, kind="stable")
    starts = numpy.searchsorted(keys[order], numpy.arange(10))
    others = numpy.concatenate([objects, subjects])[order]
    texts = rng.integers(0, 7, (2, 3))
    answers = rng.integers(0, 9, B)
    index = starts, relations[order], others
    rows, asked = rng.integers(0, 2, B), rng.integers(0, 9, B)
    return FactBatch(numpy.arange(7), texts, rows, asked, answers, numpy.arange(B + 1), index)
