"""The answer's loss over the whole vocabulary, a block a question, on one array of scores."""

from kvnet import operations
from kvnet.kernels.cuda.compilation import launch, numbers


def word_cross_entropy(xp, h, table, answers, nil=True):
    """Do what `kvnet.operations.word_cross_entropy` does.

    Parameters and returns: see `kvnet.operations.word_cross_entropy`.
    """
    if not nil:  # the kernel leaves word 0 out
        return operations.word_cross_entropy(xp, h, table, answers, nil)
    scores = xp.ascontiguousarray(h @ table.T)  # (B, V)
    B, V = scores.shape
    losses, loss = xp.empty(B, h.dtype), xp.empty((), h.dtype)
    launch(xp, h.dtype, "entropy_rows", B, (scores, numbers(xp, answers), losses, V))
    launch(xp, h.dtype, "scaled_sum", 1, (losses, B, 1.0, loss))

    def backward(d_loss):
        return d_loss * (scores @ table), d_loss * (scores.T @ h)

    return loss, backward
