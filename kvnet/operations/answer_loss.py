"""The loss of the answers, given the readings of the question and of the memory."""

from typing import NamedTuple

import numpy

from kvnet.operations.key_value_hops_by_row import key_value_hops_by_row
from kvnet.operations.matrix_product import matrix_product
from kvnet.operations.memory import Memory
from kvnet.operations.word_cross_entropy import word_cross_entropy


class AnswerGradients(NamedTuple):
    """The gradients of `answer_loss`, named as its arguments are and of their shapes."""

    query: numpy.ndarray
    memory: Memory
    A: numpy.ndarray
    R: numpy.ndarray
    output_map: numpy.ndarray
    table: numpy.ndarray


def answer_loss(xp, query, memory: Memory, A, R, output_map, table, answers):
    """Hop over the memory and score the answer: ``L = -sum_b log softmax(u_H B Wᵀ)[answer_b]``.

    Parameters
    ----------
    xp : module
        Array module.
    query : (B, D) float array
    memory : Memory
    A : (F, D) float array
    R : (H, F, F) float array
        As for `key_value_hops`, which computes u_H.
    output_map : (F, E) float array
        B.
    table : (V, E) float array
        W. Row 0, the nil word's, is read as zero whatever it contains.
    answers : (B,) integer array
        Word ids.

    Returns
    -------
    loss : scalar float array
        Summed over the batch.
    backward : callable
        ``d_loss (scalar) -> AnswerGradients``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    u, _, backward_hops = key_value_hops_by_row(xp, query, memory, A, R)
    h, backward_map = matrix_product(xp, u, output_map)  # (B, E)
    loss, backward_entropy = word_cross_entropy(xp, h, table, answers)

    def backward(d_loss):
        dh, d_table = backward_entropy(d_loss)
        du, d_output_map = backward_map(dh)
        return AnswerGradients(*backward_hops(du), d_output_map, d_table)

    return loss, backward
