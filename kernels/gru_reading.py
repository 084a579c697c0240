"""The simple_gru reader, a block of sentences at a time.

The part of the gates that comes from the word, ``W[x] W_x + b``, depends on the word alone: it is
computed once per word of the vocabulary. Only the part that comes from the state is computed for
each position of each sentence.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS, as_int32
from kvnet.kernels.parts.matrices import multiply
from kvnet.kernels.parts.slot_products import occurrences
from kvnet.kernels.parts.threads import (
    block_done,
    next_block,
    run_on_all_threads,
    wait_until_done,
)
from kvnet.kernels.parts.vector_math import exp
from kvnet.operations.gru import GruWeights
from kvnet.operations.without_nil import without_nil

SENTENCES_PER_BLOCK = 50
WORDS_PER_BLOCK = 16


class SavedReading(NamedTuple):
    """What a block's positions save, all sentences of position 1, then of position 2, etc."""

    states: numpy.ndarray  # ((S + 1) N, F), before each position, and the readings
    gates: numpy.ndarray  # (S N, 2 F)
    candidates: numpy.ndarray  # (S N, F)


class StateWeights(NamedTuple):
    """The rows of a GRU's weights that multiply its state, or their gradients."""

    gates: numpy.ndarray  # (F, 2 F)
    candidate: numpy.ndarray  # (F, F)


@njit(**OPTIONS)
def _sigmoid(x):
    one = x * 0 + 1
    return one / (one + exp(-x))


@njit(**OPTIONS)
def _forward_block(words, mapped, weights, saved):
    """Run the GRU over some sentences. Position s fills the rows from ``s N`` to ``(s + 1) N``."""
    (N, S), F = words.shape, len(weights.candidate)
    states, gates, candidates = saved.states, saved.gates, saved.candidates
    reset, from_state = numpy.empty((N, F), mapped.dtype), numpy.empty((N, F), mapped.dtype)
    for n in range(N):
        for f in range(F):
            states[n, f] = 0
    for s in range(S):
        h, gate = states[s * N : (s + 1) * N], gates[s * N : (s + 1) * N]
        c, after = candidates[s * N : (s + 1) * N], states[(s + 1) * N : (s + 2) * N]
        multiply(h, weights.gates, gate)  # (N, 2 F)
        for n in range(N):
            word, row, state, to = mapped[words[n, s]], gate[n], h[n], reset[n]
            for f in range(2 * F):
                row[f] = _sigmoid(row[f] + word[f])
            for f in range(F):
                to[f] = row[f] * state[f]
        multiply(reset, weights.candidate, from_state)  # (N, F)
        for n in range(N):
            word, z, state = mapped[words[n, s], 2 * F :], gate[n, F:], h[n]
            row, candidate, to = from_state[n], c[n], after[n]
            for f in range(F):
                tanh = 2 * _sigmoid(2 * (row[f] + word[f])) - 1
                candidate[f] = tanh
                to[f] = z[f] * state[f] + (1 - z[f]) * tanh


@njit(**OPTIONS)
def _backward_block(dh, weights, saved, d_mapped, d_weights):
    """Compute the gradients of some sentences; `d_mapped` is that of each position's input."""
    states, gates, candidates = saved.states, saved.gates, saved.candidates
    N, F = dh.shape
    S, dh = len(candidates) // N, dh.copy()
    resets = numpy.empty_like(candidates)
    d_gates, d_candidates = numpy.empty_like(gates), numpy.empty_like(candidates)
    from_reset, from_gates = numpy.empty_like(dh), numpy.empty_like(dh)
    gates_T = numpy.ascontiguousarray(weights.gates.T)
    candidate_T = numpy.ascontiguousarray(weights.candidate.T)
    for s in range(S - 1, -1, -1):
        rows = slice(s * N, (s + 1) * N)
        h, gate, c, reset = states[rows], gates[rows], candidates[rows], resets[rows]
        d_gate, dc = d_gates[rows], d_candidates[rows]
        for n in range(N):
            z, candidate, to, coming = gate[n, F:], c[n], dc[n], dh[n]
            for f in range(F):
                to[f] = coming[f] * (1 - z[f]) * (1 - candidate[f] * candidate[f])
        multiply(dc, candidate_T, from_reset)  # (N, F), of r ⊙ h
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
            for f in range(F):  # h enters h', r ⊙ h and the gates
                coming[f] = coming[f] * z[f] + by_reset[f] * r[f] + by_gates[f]
            for f in range(2 * F):
                to_gates[f] = d_gate_row[f]
            for f in range(F):
                to_candidate[f] = dc_row[f]
    multiply(states[: S * N].T, d_gates, d_weights.gates)
    multiply(resets.T, d_candidates, d_weights.candidate)


@njit(**OPTIONS)
def _saved_of_block(saved, S, lo, hi):
    states, positions = slice((S + 1) * lo, (S + 1) * hi), slice(S * lo, S * hi)
    return SavedReading(saved.states[states], saved.gates[positions], saved.candidates[positions])


@njit(**OPTIONS)
def _read_block(lo, hi, words, mapped, weights, saved):
    saved = _saved_of_block(saved, words.shape[1], lo, hi)
    _forward_block(words[lo:hi], mapped, weights, saved)


@njit(**OPTIONS)
def _read_backward_block(k, lo, hi, dh, weights, saved, d_mapped, by_block):
    saved = _saved_of_block(saved, d_mapped.shape[1], lo, hi)
    d_weights = StateWeights(by_block.gates[k], by_block.candidate[k])
    _backward_block(dh[lo:hi], weights, saved, d_mapped[lo:hi], d_weights)


@njit(**OPTIONS)
def _sum_word(word, starts, sentences, positions, d_mapped, d_vocabulary):
    row = d_vocabulary[word]
    for f in range(len(row)):
        row[f] = 0
    for n in range(starts[word], starts[word + 1]):
        of_position = d_mapped[sentences[n], positions[n]]
        for f in range(len(row)):
            row[f] += of_position[f]


@njit(**NOT_INLINED)
def _forward(counters, bounds, words, mapped, weights, saved):
    k = next_block(counters, 0)
    while k < len(bounds) - 1:
        _read_block(bounds[k], bounds[k + 1], words, mapped, weights, saved)
        k = next_block(counters, 0)


@njit(**NOT_INLINED)
def _backward(counters, bounds, dh, occurrences, weights, saved, d_mapped, by_block, d_vocabulary):
    """Compute the gradients of blocks of sentences, then sum those of blocks of words."""
    k, blocks = next_block(counters, 0), len(bounds) - 1
    while k < blocks:
        lo, hi = bounds[k], bounds[k + 1]
        _read_backward_block(k, lo, hi, dh, weights, saved, d_mapped, by_block)
        block_done(counters, 0)
        k = next_block(counters, 0)
    wait_until_done(counters, 0, blocks)
    k, words = next_block(counters, 1), cut(len(d_vocabulary), WORDS_PER_BLOCK)
    while k < len(words) - 1:
        for word in range(words[k], words[k + 1]):
            _sum_word(word, *occurrences, d_mapped, d_vocabulary)
        k = next_block(counters, 1)


def gru_reading(xp, words, table, weights: GruWeights):
    """Fused form of `kvnet.operations.gru_reading`.

    Parameters, returns and references: see there.
    """
    words = as_int32(words)
    gate_weights, gate_bias, candidate_weights, candidate_bias = weights
    (N, S), (V, E), F = words.shape, table.shape, len(candidate_bias)
    of_word = numpy.concatenate([gate_weights[:E], candidate_weights[:E]], axis=1)  # (E, 3 F)
    by_state = StateWeights(
        *map(numpy.ascontiguousarray, (gate_weights[E:], candidate_weights[E:]))
    )
    embeddings = without_nil(table)
    mapped = embeddings @ of_word + numpy.concatenate([gate_bias, candidate_bias])  # (V, 3 F)

    def empty(*shape):
        return numpy.empty(shape, table.dtype)

    # The positions of a block, then those of the next.
    saved = SavedReading(empty((S + 1) * N, F), empty(S * N, 2 * F), empty(S * N, F))
    bounds = cut(N, SENTENCES_PER_BLOCK)
    run_on_all_threads(_forward, len(bounds) - 1, bounds, words, mapped, by_state, saved)
    last = [slice((S + 1) * hi - (hi - lo), (S + 1) * hi) for lo, hi in pairwise(bounds)]
    readings = numpy.concatenate([saved.states[rows] for rows in last])

    def backward(d_readings):
        d_mapped, d_vocabulary = empty(N, S, 3 * F), empty(V, 3 * F)
        by_block = StateWeights(*(empty(len(bounds) - 1, *w.shape) for w in by_state))
        d_readings = numpy.ascontiguousarray(d_readings)
        by_word = occurrences(words, numpy.full(N, S), V)
        inputs = bounds, d_readings, by_word, by_state, saved
        outputs = d_mapped, by_block, d_vocabulary
        blocks = max(len(bounds) - 1, -(-V // WORDS_PER_BLOCK))
        run_on_all_threads(_backward, blocks, *inputs, *outputs, phases=2)
        d_gates, d_candidate = (part.sum(axis=0) for part in by_block)
        d_by_word, d_bias = embeddings.T @ d_vocabulary, d_vocabulary.sum(axis=0)
        d_table = d_vocabulary @ of_word.T
        d_table[0] = 0
        return d_table, GruWeights(
            numpy.concatenate([d_by_word[:, : 2 * F], d_gates]),
            d_bias[: 2 * F],
            numpy.concatenate([d_by_word[:, 2 * F :], d_candidate]),
            d_bias[2 * F :],
        )

    return readings, backward
