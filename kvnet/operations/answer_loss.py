"""The loss of answers, from the readings of question and memory on."""

from kvnet.operations.linear import linear
from kvnet.operations.read_slots import read_slots
from kvnet.operations.word_cross_entropy import word_cross_entropy


def answer_loss(
    xp,
    query,
    readings,
    TK,
    TV,
    A,
    hop_matrices,
    key_rows,
    value_rows,
    allowed,
    B,
    table,
    answers,
):
    """Read the memory and sum the cross entropy of ``softmax(u_H B Wᵀ)`` over the batch.

    Parameters
    ----------
    xp, query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
        As for `read_slots`.
    B : (F, E) float array
    table : (V, E) float array
        W. Row 0, the nil word's, is read as zero whatever it holds.
    answers : (B,) integer array
        Word ids.

    Returns
    -------
    loss : scalar float array
    backward : callable
        ``d_loss (scalar) -> d_query, d_readings, dTK, dTV, dA, d_hop_matrices, dB, d_table``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    u, _, backward_slots = read_slots(
        xp,
        query,
        readings,
        TK,
        TV,
        A,
        hop_matrices,
        key_rows,
        value_rows,
        allowed,
    )
    h, backward_h = linear(xp, u, B.T)  # (B, E)
    loss, backward_entropy = word_cross_entropy(xp, h, table, answers)

    def backward(d_loss):
        dh, d_table = backward_entropy(d_loss)
        du, dB_transposed = backward_h(dh)
        return *backward_slots(du), dB_transposed.T, d_table

    return loss, backward
