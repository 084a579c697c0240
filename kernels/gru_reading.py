"""The simple_gru reader: each word of the vocabulary is mapped once, not each word that is read."""

from itertools import pairwise

import numpy
from numba import int64, njit, prange

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_options import OPTIONS, PARALLEL, as_int32
from kvnet.kernels.parts.matrices import multiply
from kvnet.kernels.parts.slot_products import occurrences
from kvnet.kernels.parts.vector_math import exp
from kvnet.operations.gru import GruWeights
from kvnet.operations.without_nil import without_nil

SENTENCES_A_BLOCK = 50


@njit(**OPTIONS)
def _sigmoid(x):
    one = x * 0 + 1
    return one / (one + exp(-x))


@njit(**OPTIONS)
def _forward_block(words, mapped, gate_weights, candidate_weights, states, gates, candidates):
    """Run the GRU over some sentences; place s fills rows ``s N`` to ``(s + 1) N`` of the rest.

    The state of rows s is the one that place s starts from; the last rows are the readings.
    """
    N, S = words.shape
    F = len(candidate_weights)
    reset, from_state = numpy.empty((N, F), mapped.dtype), numpy.empty((N, F), mapped.dtype)
    for n in range(N):
        for f in range(F):
            states[n, f] = 0
    for s in range(S):
        h, gate = states[s * N : (s + 1) * N], gates[s * N : (s + 1) * N]
        c, after = candidates[s * N : (s + 1) * N], states[(s + 1) * N : (s + 2) * N]
        multiply(h, gate_weights, gate)  # (N, 2 F)
        for n in range(N):
            word, row, state, to = mapped[words[n, s]], gate[n], h[n], reset[n]
            for f in range(2 * F):
                row[f] = _sigmoid(row[f] + word[f])
            for f in range(F):
                to[f] = row[f] * state[f]
        multiply(reset, candidate_weights, from_state)  # (N, F)
        for n in range(N):
            word, z, state = mapped[words[n, s], 2 * F :], gate[n, F:], h[n]
            row, candidate, to = from_state[n], c[n], after[n]
            for f in range(F):
                tanh = 2 * _sigmoid(2 * (row[f] + word[f])) - 1
                candidate[f] = tanh
                to[f] = z[f] * state[f] + (1 - z[f]) * tanh


@njit(**OPTIONS)
def _backward_block(
    dh, gate_weights, candidate_weights, states, gates, candidates, d_mapped, d_gates, d_candidate
):
    """Go back through the places; `d_mapped` gets the gradient by what each place was given."""
    N, F = dh.shape
    S = len(candidates) // N
    dh = dh.copy()
    resets = numpy.empty_like(candidates)
    into_gates, into_candidate = numpy.empty_like(gates), numpy.empty_like(candidates)
    from_reset, from_gates = numpy.empty_like(dh), numpy.empty_like(dh)
    gates_T = numpy.ascontiguousarray(gate_weights.T)
    candidate_T = numpy.ascontiguousarray(candidate_weights.T)
    for s in range(S - 1, -1, -1):
        rows = slice(s * N, (s + 1) * N)
        h, gate, c, reset = states[rows], gates[rows], candidates[rows], resets[rows]
        d_gate, dc = into_gates[rows], into_candidate[rows]
        for n in range(N):
            z, candidate, to, coming = gate[n, F:], c[n], dc[n], dh[n]
            for f in range(F):
                to[f] = coming[f] * (1 - z[f]) * (1 - candidate[f] * candidate[f])
        multiply(dc, candidate_T, from_reset)  # (N, F), by r h
        for n in range(N):
            r, z, state, candidate = gate[n, :F], gate[n, F:], h[n], c[n]
            d_r, d_z, coming, by_reset = d_gate[n, :F], d_gate[n, F:], dh[n], from_reset[n]
            to = reset[n]
            for f in range(F):
                to[f] = r[f] * state[f]
                d_r[f] = by_reset[f] * state[f] * r[f] * (1 - r[f])
                d_z[f] = coming[f] * (state[f] - candidate[f]) * z[f] * (1 - z[f])
        multiply(d_gate, gates_T, from_gates)  # (N, F)
        for n in range(N):
            r, z, coming = gate[n, :F], gate[n, F:], dh[n]
            by_reset, by_gates = from_reset[n], from_gates[n]
            to_gates, to_candidate = d_mapped[n, s, : 2 * F], d_mapped[n, s, 2 * F :]
            d_gate_row, dc_row = d_gate[n], dc[n]
            for f in range(F):  # h goes three ways: on, into the reset, the gates
                coming[f] = coming[f] * z[f] + by_reset[f] * r[f] + by_gates[f]
            for f in range(2 * F):
                to_gates[f] = d_gate_row[f]
            for f in range(F):
                to_candidate[f] = dc_row[f]
    multiply(states[: S * N].T, into_gates, d_gates)
    multiply(resets.T, into_candidate, d_candidate)


@njit(**OPTIONS)
def _read_a_block(lo, hi, words, inputs, left):
    states, gates, candidates = left
    S = words.shape[1]
    started, places = slice((S + 1) * lo, (S + 1) * hi), slice(S * lo, S * hi)
    _forward_block(words[lo:hi], *inputs, states[started], gates[places], candidates[places])


@njit(**OPTIONS)
def _read_a_block_back(k, lo, hi, dh, by_state, left, d_mapped, parts):
    states, gates, candidates = left
    S = d_mapped.shape[1]
    started, places = slice((S + 1) * lo, (S + 1) * hi), slice(S * lo, S * hi)
    left_of_block = states[started], gates[places], candidates[places]
    d_gates, d_candidate = parts
    _backward_block(
        dh[lo:hi], *by_state, *left_of_block, d_mapped[lo:hi], d_gates[k], d_candidate[k]
    )


@njit(**OPTIONS)
def _sum_a_word(word, read_at, d_mapped, d_vocabulary):
    starts, sentences, places = read_at
    row = d_vocabulary[word]
    for f in range(len(row)):
        row[f] = 0
    for n in range(starts[word], starts[word + 1]):
        given = d_mapped[sentences[n], places[n]]
        for f in range(len(row)):
            row[f] += given[f]


@njit(**PARALLEL)
def _forward(bounds, words, inputs, left):
    for k in prange(len(bounds) - 1):
        _read_a_block(bounds[k], bounds[k + 1], words, inputs, left)


@njit(**PARALLEL)
def _backward(bounds, dh, words, by_state, left, d_mapped, parts, d_vocabulary):
    for k in prange(len(bounds) - 1):
        _read_a_block_back(int64(k), bounds[k], bounds[k + 1], dh, by_state, left, d_mapped, parts)
    N, S = words.shape
    read_at = occurrences(words, numpy.full(N, S), len(d_vocabulary))
    for word in prange(len(d_vocabulary)):
        _sum_a_word(int64(word), read_at, d_mapped, d_vocabulary)


def gru_reading(xp, words, table, weights: GruWeights):
    """Do what `kvnet.operations.gru_reading` does.

    A place adds to its gates ``W[x] W_x + b``, which hangs on the word alone: that is made once a
    word of the vocabulary. Only what the state adds is made place by place.

    Parameters, returns and source: see `kvnet.operations.gru_reading`.
    """
    words = as_int32(words)
    gate_weights, gate_bias, candidate_weights, candidate_bias = weights
    (N, S), (V, E), F = words.shape, table.shape, len(candidate_bias)
    by_word = numpy.concatenate([gate_weights[:E], candidate_weights[:E]], axis=1)  # (E, 3 F)
    by_state = (
        numpy.ascontiguousarray(gate_weights[E:]),
        numpy.ascontiguousarray(candidate_weights[E:]),
    )
    embeddings = without_nil(table)
    mapped = embeddings @ by_word + numpy.concatenate([gate_bias, candidate_bias])  # (V, 3 F)

    def empty(*shape):
        return numpy.empty(shape, table.dtype)

    # What each place leaves; a block's places, then the next block's.
    left = empty((S + 1) * N, F), empty(S * N, 2 * F), empty(S * N, F)
    bounds = cut(N, SENTENCES_A_BLOCK)
    _forward(bounds, words, (mapped, *by_state), left)
    last = [slice((S + 1) * hi - (hi - lo), (S + 1) * hi) for lo, hi in pairwise(bounds)]
    readings = numpy.concatenate([left[0][rows] for rows in last])

    def backward(d_readings):
        d_vocabulary = empty(V, 3 * F)
        parts = empty(len(bounds) - 1, F, 2 * F), empty(len(bounds) - 1, F, F)
        d_mapped = empty(N, S, 3 * F)
        d_readings = numpy.ascontiguousarray(d_readings)
        _backward(bounds, d_readings, words, by_state, left, d_mapped, parts, d_vocabulary)
        d_by_gates, d_by_candidate = (part.sum(axis=0) for part in parts)
        d_by_word = embeddings.T @ d_vocabulary  # (E, 3 F)
        d_bias = d_vocabulary.sum(axis=0)
        d_table = d_vocabulary @ by_word.T
        d_table[0] = 0
        return d_table, GruWeights(
            numpy.concatenate([d_by_word[:, : 2 * F], d_by_gates]),
            d_bias[: 2 * F],
            numpy.concatenate([d_by_word[:, 2 * F :], d_by_candidate]),
            d_bias[2 * F :],
        )

    return readings, backward
