"""The memory read over all hops, with no product per slot but two dots."""

import numpy

from kvnet.kernels.slots import add_dots, add_outer, add_sums
from kvnet.operations.softmax import softmax


def read_slots(
    xp, query, key_readings, value_readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
):
    """Do what `kvnet.operations.read_slots` does, with ``A`` moved to the query's side.

    ``u · k Aᵀ = (u A) · k`` and ``sum_i p_i v_i Aᵀ = (sum_i p_i v_i) Aᵀ``: A maps one vector a
    question and hop, not every slot. The temporal encodings are the same for all questions, so
    their share is one dense product; the readings' share follows the slots that hold something.

    Parameters, returns and source: see `kvnet.operations.read_slots`.
    """
    u = query @ A.T  # (B, F)
    hops, attention = [], []
    for R in hop_matrices:
        w = u @ A  # (B, D)
        scores = w @ TK.T  # (B, M)
        add_dots(key_rows, key_readings, w, scores)
        p, backward_softmax = softmax(xp, scores, allowed)
        read = p @ TV  # (B, D)
        add_sums(value_rows, value_readings, p, read)
        s = u + read @ A.T  # (B, F)
        hops.append((u, w, p, backward_softmax, read, s, R))
        attention.append(p)
        u = s @ R.T

    def backward(du):
        d_key_readings = numpy.zeros_like(key_readings)
        d_value_readings = numpy.zeros_like(value_readings)
        dTK, dTV, dA = numpy.zeros_like(TK), numpy.zeros_like(TV), numpy.zeros_like(A)
        d_hop_matrices = []
        for u, w, p, backward_softmax, read, s, R in reversed(hops):
            d_hop_matrices.insert(0, du.T @ s)
            ds = du @ R  # (B, F)
            d_read = ds @ A  # (B, D)
            dA += ds.T @ read
            dp = d_read @ TV.T  # (B, M)
            add_dots(value_rows, value_readings, d_read, dp)
            dTV += p.T @ d_read
            add_outer(value_rows, p, d_read, d_value_readings)
            d_scores = backward_softmax(dp)  # (B, M)
            dw = d_scores @ TK  # (B, D)
            add_sums(key_rows, key_readings, d_scores, dw)
            dTK += d_scores.T @ w
            add_outer(key_rows, d_scores, w, d_key_readings)
            dA += u.T @ dw
            du = ds + dw @ A.T  # u goes into the scores and into the sum s
        dA += du.T @ query
        return du @ A, d_key_readings, d_value_readings, dTK, dTV, dA, d_hop_matrices

    return u, numpy.stack(attention), backward
