"""A gated recurrent unit over the words of a sentence."""

from typing import NamedTuple

import numpy

from kvnet.operations.sigmoid import sigmoid


class GruWeights(NamedTuple):
    """The weights of a GRU with F units on inputs of E components, or their gradients.

    Attributes
    ----------
    gate_weights : (E + F, 2 F) float array
        W_g; its first F columns are for r, the others for z.
    gate_bias : (2 F,) float array
    candidate_weights : (E + F, F) float array
        W_c.
    candidate_bias : (F,) float array
    """

    gate_weights: numpy.ndarray
    gate_bias: numpy.ndarray
    candidate_weights: numpy.ndarray
    candidate_bias: numpy.ndarray


def gru(xp, x, weights: GruWeights):
    """Run a GRU over S words from a zero state and return the last state.

    ``r, z = sigmoid([x, h] W_g + b_g)``, ``c = tanh([x, r ⊙ h] W_c + b_c)``,
    ``h' = z ⊙ h + (1 - z) ⊙ c``. Padding is stepped over like any other word.

    Parameters
    ----------
    xp : module
        Array module.
    x : (N, S, E) float array
        Word embeddings.
    weights : GruWeights

    Returns
    -------
    h : (N, F) float array
        The state after word S.
    backward : callable
        ``dh (N, F) -> dx (N, S, E), d_weights (GruWeights)``

    References
    ----------
    Cho et al. 2014 (arXiv 1406.1078), section 2.3, with the candidate's reset before the product.
    """
    N, S, E = x.shape
    gate_weights, gate_bias, candidate_weights, candidate_bias = weights
    F = len(candidate_bias)
    h = xp.zeros((N, F), x.dtype)
    steps = []
    for s in range(S):
        xh = xp.concatenate([x[:, s], h], axis=1)  # (N, E + F)
        gates, _ = sigmoid(xp, xh @ gate_weights + gate_bias)  # (N, 2 F)
        r, z = gates[:, :F], gates[:, F:]
        xrh = xp.concatenate([x[:, s], r * h], axis=1)  # (N, E + F)
        c = xp.tanh(xrh @ candidate_weights + candidate_bias)  # (N, F)
        steps.append((h, xh, gates, xrh, c))
        h = z * h + (1 - z) * c

    def backward(dh):
        dx = xp.empty_like(x)
        dWg, dbg = xp.zeros_like(gate_weights), xp.zeros_like(gate_bias)
        dWc, dbc = xp.zeros_like(candidate_weights), xp.zeros_like(candidate_bias)
        for s in reversed(range(S)):
            h, xh, gates, xrh, c = steps[s]
            r, z = gates[:, :F], gates[:, F:]
            dc = dh * (1 - z) * (1 - c * c)  # through tanh
            dWc += xrh.T @ dc
            dbc += dc.sum(axis=0)
            dxrh = dc @ candidate_weights.T  # (N, E + F)
            drh = dxrh[:, E:]
            d_gates = xp.concatenate([drh * h, dh * (h - c)], axis=1)  # (N, 2 F)
            d_gates = d_gates * gates * (1 - gates)  # through the sigmoid
            dWg += xh.T @ d_gates
            dbg += d_gates.sum(axis=0)
            dxh = d_gates @ gate_weights.T  # (N, E + F)
            dx[:, s] = dxh[:, :E] + dxrh[:, :E]
            dh = dh * z + drh * r + dxh[:, E:]  # h enters h', r ⊙ h and the gates
        return dx, GruWeights(dWg, dbg, dWc, dbc)

    return h, backward
