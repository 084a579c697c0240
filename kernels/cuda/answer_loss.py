"""The loss of the answers and its gradients, each question in one thread block."""

from kvnet.kernels.cuda.key_value_hops_by_row import key_value_hops_by_row
from kvnet.kernels.cuda.parts.key_value_hops import BlockHops, hop_sizes
from kvnet.kernels.cuda.parts.launch import as_int32
from kvnet.kernels.cuda.parts.losses import scale, sum_losses
from kvnet.kernels.cuda.word_cross_entropy import word_cross_entropy
from kvnet.operations import AnswerGradients, Memory, matrix_product


def answer_loss(xp, query, memory, A, R, output_map, table, answers):
    """CUDA form of `kvnet.operations.answer_loss`.

    If one block holds a question and the scores of all words, it also computes the gradients.
    Otherwise the hops and the scores are operations of their own.

    Parameters, returns and references: see there.
    """
    V, E = table.shape
    if not hop_sizes(query, memory, A, R).fits_block(A.dtype, E, V):
        return _by_operations(xp, query, memory, A, R, output_map, table, answers)
    hops = BlockHops(xp, query, memory, A, R)

    def empty(*shape):
        return xp.empty((hops.sizes.B, *shape), A.dtype)

    us, hs, dhs, d_word_scores, losses = empty(hops.sizes.F), empty(E), empty(E), empty(V), empty()
    arguments = {"us": us, "hs": hs, "dhs": dhs, "d_word_scores": d_word_scores, "losses": losses}
    arguments |= {"E": E, "V": V, "output_map": xp.ascontiguousarray(output_map), "table": table}
    hops.launch("answer_loss", E + V, **arguments, answers=as_int32(xp, answers))

    def backward(d_loss):
        d_query, d, dA, dR, *others = hops.gradients([(us, dhs), (d_word_scores, hs)])
        gradients = [d_query, d.readings, d.TK, d.TV, dA, dR, *others]
        d_query, d_readings, dTK, dTV, *others = scale(d_loss, gradients)
        return AnswerGradients(d_query, Memory(d_readings, dTK, dTV), *others)

    return sum_losses(xp, losses), backward


def _by_operations(xp, query, memory, A, R, output_map, table, answers):
    u, _, backward_hops = key_value_hops_by_row(xp, query, memory, A, R)
    h, backward_map = matrix_product(xp, u, output_map)  # (B, E)
    loss, backward_entropy = word_cross_entropy(xp, h, table, answers)

    def backward(d_loss):
        dh, d_table = backward_entropy(d_loss)
        du, d_output_map = backward_map(dh)
        return AnswerGradients(*backward_hops(du), d_output_map, d_table)

    return loss, backward
