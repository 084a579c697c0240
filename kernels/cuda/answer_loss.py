"""The loss of answers and its gradient: each question there and back in one block of threads."""

from kvnet.kernels.cuda.parts.compilation import launch, numbers
from kvnet.kernels.cuda.key_value_hops_by_row import Reading, Sizes, fits, launch_questions, key_value_hops_by_row
from kvnet.kernels.cuda.word_cross_entropy import scaled, word_cross_entropy
from kvnet.operations.linear import linear

SMALL_VOCABULARY = 2048  # up to which a block of threads scores all words by itself


def in_one_block(sizes: Sizes, dtype, V: int, E: int) -> bool:
    """Return whether one block of threads takes a question to its loss and back."""
    return V <= SMALL_VOCABULARY and fits(sizes, dtype, E + V)


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
    """Do what `kvnet.operations.answer_loss` does; a small vocabulary's gradient comes with it.

    Parameters, returns and source: see `kvnet.operations.answer_loss`.
    """
    memory = query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
    sizes = Sizes(len(query), len(TK), A.shape[1], len(A), len(hop_matrices))
    V, E = table.shape
    if not in_one_block(sizes, A.dtype, V, E):
        return _in_steps(xp, memory, B, table, answers)
    reading, questions = Reading(xp, *memory), sizes.B

    def empty(*shape):
        return xp.empty(shape, A.dtype)

    u, h, dh = empty(questions, sizes.F), empty(questions, E), empty(questions, E)
    losses, d_scores, loss = empty(questions), empty(questions, V), empty()
    arguments = [*reading.arguments, E, V, xp.ascontiguousarray(B)]
    arguments += [table, numbers(xp, answers), u, h, d_scores, dh, losses]
    launch_questions(xp, A.dtype, "answer_loss", sizes, arguments, E + V)
    launch(xp, A.dtype, "scaled_sum", 1, (losses, questions, 1.0, loss))

    def backward(d_loss):
        *d_inputs, d_hop_matrices, dB, d_table = reading.gradients([(u, dh), (d_scores, h)])
        *d_inputs, dB, d_table = scaled(d_loss, [*d_inputs, dB, d_table])
        return *d_inputs, scaled(d_loss, d_hop_matrices), dB, d_table

    return loss, backward


def _in_steps(xp, memory, B, table, answers):
    """Read the memory and score the words one after the other, the products by the library."""
    u, _, backward_slots = key_value_hops_by_row(xp, *memory)
    h, backward_h = linear(xp, u, B.T)  # (B, E)
    loss, backward_entropy = word_cross_entropy(xp, h, table, answers)

    def backward(d_loss):
        dh, d_table = backward_entropy(d_loss)
        du, dB_transposed = backward_h(dh)
        return *backward_slots(du), dB_transposed.T, d_table

    return loss, backward
