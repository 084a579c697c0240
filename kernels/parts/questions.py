"""Questions of a data set and their memories, read with the bow reader, a block at a time."""

import numpy
from numba import njit

from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.kernels.parts.compile_options import INNER
from kvnet.kernels.parts.question_block import sentences_are_shared
from kvnet.kernels.parts.slot_products import filled_slots
from kvnet.kernels.parts.word_sums import add_words
from kvnet.parameter_vector import sections_of


def layout_of(bow: BowModel) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return what `parts_of` takes: the sizes V, E, M, F, H, and where each array starts."""
    sections, (V, E) = sections_of(bow.shapes), bow.shapes["W"]
    starts = [sections[name][0] for name in ("W", "W_mem", "A", "TK", "TV", "R_1", "B")]
    sizes = V, E, bow.shapes["TK"][0], bow.shapes["A"][0], bow.hops
    return numpy.array(sizes), numpy.array(starts)


def packed(questions: Questions) -> tuple:
    """Return what `gather_block` takes of a data set."""
    return *questions, questions.values is questions.keys


@njit(**INNER)
def parts_of(vector, sizes, starts):
    """Return W, W_mem, A, TK, TV, R and B of a vector of parameters, or of gradients."""
    V, E, M, F, H = sizes
    W, W_mem, A, TK, TV, R, B = starts
    return (
        vector[W : W + V * E].reshape(V, E),
        vector[W_mem : W_mem + V * E].reshape(V, E),
        vector[A : A + F * E].reshape(F, E),
        vector[TK : TK + M * E].reshape(M, E),
        vector[TV : TV + M * E].reshape(M, E),
        vector[R : R + H * F * F].reshape(H, F, F),
        vector[B : B + F * E].reshape(F, E),
    )


@njit(**INNER)
def _number_anew(slots, found, count, place_of):
    """Give the sentences in slots new numbers from 1 on, in place; 0 stays the empty one.

    Returns
    -------
    count : int
        Sentences in `found` from now on, the empty one included.
    """
    for b in range(len(slots)):
        for i in range(slots.shape[1]):
            sentence = slots[b, i]
            if sentence != 0:
                if place_of[sentence] == 0:
                    place_of[sentence], found[count] = count, sentence
                    count += 1
                slots[b, i] = place_of[sentence]
    return count


@njit(**INNER)
def gather_block(questions, data, place_of):
    """Return a block's questions and memories, each different sentence once.

    Returns
    -------
    query : (B, S) int32 array
    sentences : (U, S) int32 array
        Row 0 is all nil.
    key_rows, value_rows : (B, M) int32 array
    answers : (B,) int32 array
    """
    sentences, queries, keys, values, answers, same = data
    B, M = len(questions), keys.shape[1]
    key_rows = numpy.empty((B, M), numpy.int32)
    value_rows = key_rows if same else numpy.empty((B, M), numpy.int32)
    query, answer = numpy.empty((B, sentences.shape[1]), numpy.int32), numpy.empty(B, numpy.int32)
    for b in range(B):
        n = questions[b]
        answer[b] = answers[n]
        for s in range(query.shape[1]):
            query[b, s] = sentences[queries[n], s]
        for i in range(M):
            key_rows[b, i] = keys[n, i]
            if not same:
                value_rows[b, i] = values[n, i]
    found = numpy.empty(1 + (1 if same else 2) * B * M, numpy.int32)
    found[0] = 0
    count = _number_anew(key_rows, found, 1, place_of)
    if not same:
        count = _number_anew(value_rows, found, count, place_of)
    words = numpy.empty((count, sentences.shape[1]), numpy.int32)
    for u in range(count):
        place_of[found[u]] = 0  # for the next block
        for s in range(words.shape[1]):
            words[u, s] = sentences[found[u], s]
    return query, words, key_rows, value_rows, answer


@njit(**INNER)
def read_memory(words, key_rows, value_rows, W_mem, TK, TV, encoding):
    """Read a block's sentences with the bow reader, and return the memory for `question_block`."""
    M = key_rows.shape[1]  # the model may have more
    keys = numpy.empty((M + len(words), W_mem.shape[1]), W_mem.dtype)
    values = numpy.empty_like(keys)
    for n in range(M, len(keys)):
        for e in range(keys.shape[1]):
            keys[n, e] = 0
    add_words(words, W_mem, encoding, keys[M:])
    for n in range(M):
        for e in range(keys.shape[1]):
            keys[n, e], values[n, e] = TK[n, e], TV[n, e]
    for n in range(M, len(keys)):
        for e in range(keys.shape[1]):
            values[n, e] = keys[n, e]
    filled = filled_slots(key_rows, value_rows)
    shared = sentences_are_shared(filled, len(words))
    return keys, values, key_rows, value_rows, filled, shared


@njit(**INNER)
def filled_or_all(key_rows, masked):
    """Return which slots take part in the softmax: those that hold something, or, unmasked, all."""
    allowed = numpy.empty((len(key_rows), key_rows.shape[1] if masked else 0), numpy.bool_)
    for b in range(len(allowed)):
        for i in range(allowed.shape[1]):
            allowed[b, i] = key_rows[b, i] != 0
    return allowed


@njit(**INNER)
def read_questions(query, W, encoding):
    """Read questions with the bow reader, ``(B, S)`` to ``(B, E)``."""
    asked = numpy.zeros((len(query), W.shape[1]), W.dtype)
    add_words(query, W, encoding, asked)
    return asked
