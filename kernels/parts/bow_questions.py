"""Questions of a data set and their memories, read with the bow reader, a block at a time."""

from typing import NamedTuple

import numpy

from kvnet.kernels.parts.bow_arguments import BowModel
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.stacked_memory import StackedMemory, are_shared, filled_slots
from kvnet.kernels.parts.word_sums import add_words
from kvnet.parameter_vector import sections_of


class Parameters(NamedTuple):
    """The parameters of a model, their gradients, or their first indices in `theta`."""

    W: numpy.ndarray
    W_mem: numpy.ndarray
    A: numpy.ndarray
    TK: numpy.ndarray
    TV: numpy.ndarray
    R: numpy.ndarray
    output_map: numpy.ndarray


class CompiledModel(NamedTuple):
    """A `BowModel` as kernels take it."""

    theta: numpy.ndarray
    sizes: tuple[int, ...]  # V, E, M, F, H
    starts: Parameters
    encoding: numpy.ndarray
    mask_padding: bool


class QuestionBlock(NamedTuple):
    """A block of questions. Its different sentences are stored once; row 0 is all nil."""

    query: numpy.ndarray  # (B, S) int32
    sentences: numpy.ndarray  # (U, S) int32
    key_rows: numpy.ndarray  # (B, M) int32
    value_rows: numpy.ndarray  # (B, M) int32
    answers: numpy.ndarray  # (B,) int32


def compiled_model(bow: BowModel) -> CompiledModel:
    """Return a model as kernels take it."""
    sections, shapes = sections_of(bow.shapes), bow.shapes
    names = ("W", "W_mem", "A", "TK", "TV", "R_1", "B")
    sizes = *shapes["W"], shapes["TK"][0], shapes["A"][0], bow.hops
    starts = Parameters(*(sections[name][0] for name in names))
    return CompiledModel(bow.theta, sizes, starts, bow.encoding, bow.mask_padding)


@njit(**INNER)
def parameters_of(vector, model):
    """Return the sections of a vector of parameters, or of gradients, as arrays."""
    (V, E, M, F, H), at = model.sizes, model.starts
    return Parameters(
        vector[at.W : at.W + V * E].reshape(V, E),
        vector[at.W_mem : at.W_mem + V * E].reshape(V, E),
        vector[at.A : at.A + F * E].reshape(F, E),
        vector[at.TK : at.TK + M * E].reshape(M, E),
        vector[at.TV : at.TV + M * E].reshape(M, E),
        vector[at.R : at.R + H * F * F].reshape(H, F, F),
        vector[at.output_map : at.output_map + F * E].reshape(F, E),
    )


@njit(**INNER)
def _renumber(slots, found, count, new_rows):
    """Renumber the sentences in slots from 1, in place; 0 stays the empty one.

    Returns
    -------
    count : int
        Sentences in `found` so far, the empty one included.
    """
    for b in range(len(slots)):
        for i in range(slots.shape[1]):
            sentence = slots[b, i]
            if sentence != 0:
                if new_rows[sentence] == 0:
                    new_rows[sentence], found[count] = count, sentence
                    count += 1
                slots[b, i] = new_rows[sentence]
    return count


@njit(**INNER)
def gather_block(rows, questions, same, new_rows):
    """Gather a block of questions.

    Parameters
    ----------
    rows : (B,) integer array
        The questions.
    questions : Questions
    same : bool
        Whether all values are the keys.
    new_rows : (sentences,) int32 array
        Zeros, and zeros again afterwards.

    Returns
    -------
    block : QuestionBlock
    """
    sentences, queries, keys, values, all_answers = questions
    B, M, S = len(rows), keys.shape[1], sentences.shape[1]
    key_rows = numpy.empty((B, M), numpy.int32)
    value_rows = key_rows if same else numpy.empty((B, M), numpy.int32)
    query, answers = numpy.empty((B, S), numpy.int32), numpy.empty(B, numpy.int32)
    for b in range(B):
        n = rows[b]
        answers[b] = all_answers[n]
        for s in range(S):
            query[b, s] = sentences[queries[n], s]
        for i in range(M):
            key_rows[b, i] = keys[n, i]
            if not same:
                value_rows[b, i] = values[n, i]
    found = numpy.empty(1 + (1 if same else 2) * B * M, numpy.int32)
    found[0] = 0
    count = _renumber(key_rows, found, 1, new_rows)
    if not same:
        count = _renumber(value_rows, found, count, new_rows)
    words = numpy.empty((count, S), numpy.int32)
    for u in range(count):
        new_rows[found[u]] = 0  # for the next block
        for s in range(S):
            words[u, s] = sentences[found[u], s]
    return QuestionBlock(query, words, key_rows, value_rows, answers)


@njit(**INNER)
def read_memory(block, parameters, model):
    """Read a block's sentences with the bow reader; return its `StackedMemory`."""
    W_mem, TK, TV, key_rows = parameters.W_mem, parameters.TK, parameters.TV, block.key_rows
    M = key_rows.shape[1]  # the model may have more slots
    keys = numpy.empty((M + len(block.sentences), W_mem.shape[1]), W_mem.dtype)
    values = numpy.empty_like(keys)
    for n in range(M, len(keys)):
        for e in range(keys.shape[1]):
            keys[n, e] = 0
    add_words(block.sentences, W_mem, model.encoding, keys[M:])
    for n in range(M):
        for e in range(keys.shape[1]):
            keys[n, e], values[n, e] = TK[n, e], TV[n, e]
    for n in range(M, len(keys)):
        for e in range(keys.shape[1]):
            values[n, e] = keys[n, e]
    allowed = numpy.empty((len(block.query), M if model.mask_padding else 0), numpy.bool_)
    for b in range(len(allowed)):
        for i in range(allowed.shape[1]):
            allowed[b, i] = key_rows[b, i] != 0
    filled = filled_slots(key_rows, block.value_rows)
    shared = are_shared(filled, len(block.sentences))
    return StackedMemory(keys, values, key_rows, block.value_rows, allowed, filled, shared)


@njit(**INNER)
def read_query(block, parameters, model):
    """Read a block's questions with the bow reader, to ``(B, E)``."""
    W = parameters.W
    query = numpy.zeros((len(block.query), W.shape[1]), W.dtype)
    add_words(block.query, W, model.encoding, query)
    return query
