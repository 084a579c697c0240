"""The answer's loss over the whole vocabulary: scores turn into their gradient in place.

Scores and the two gradients are products of the library. Between them the scores are read twice and
written once, 12 B V bytes in float32.
"""

from kvnet.kernels.cuda.parts.compilation import launch, numbers


def word_cross_entropy(xp, h, table, answers, nil: bool = True):
    """Do what `kvnet.operations.word_cross_entropy` does.

    Parameters and returns: see `kvnet.operations.word_cross_entropy`.
    """
    scores = xp.ascontiguousarray(xp.dot(h, table.T))  # (B, V)
    B, V = scores.shape
    losses, loss = xp.empty(B, h.dtype), xp.empty((), h.dtype)
    launch(xp, h.dtype, "entropy_rows", B, (scores, numbers(xp, answers), losses, V, int(nil)))
    launch(xp, h.dtype, "scaled_sum", 1, (losses, B, 1.0, loss))

    def backward(d_loss):
        return scaled(d_loss, [xp.dot(scores, table), xp.dot(scores.T, h)])

    return loss, backward


def scaled(d_loss, gradients: list) -> list:
    """Multiply gradients by a loss's own, which mostly is the number 1."""
    if isinstance(d_loss, int | float) and d_loss == 1:
        return gradients
    return [d_loss * gradient for gradient in gradients]
