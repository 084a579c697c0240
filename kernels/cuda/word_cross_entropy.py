"""The loss of the answers over the whole vocabulary; its gradient replaces the scores.

The scores and the two gradients are products by the library. Between them the scores are read twice
and written once, 12 B V bytes in float32.
"""

from kvnet.kernels.cuda.parts.launch import as_int32, launch
from kvnet.kernels.cuda.parts.losses import scale, sum_losses


def word_cross_entropy(xp, h, table, answers, nil: bool = True):
    """CUDA form of `kvnet.operations.word_cross_entropy`.

    Parameters and returns: see there.
    """
    scores = xp.ascontiguousarray(xp.dot(h, table.T))  # (B, V)
    (B, V), losses = scores.shape, xp.empty(len(h), h.dtype)
    arrays = {"scores": scores, "answers": as_int32(xp, answers), "losses": losses}
    launch(xp, h.dtype, "word_cross_entropy", B, **arrays, V=V, nil=nil)

    def backward(d_loss):
        return scale(d_loss, [xp.dot(scores, table), xp.dot(scores.T, h)])

    return sum_losses(xp, losses), backward
