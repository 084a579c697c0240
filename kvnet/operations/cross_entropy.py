"""The loss of the answers: softmax over the vocabulary, then cross entropy."""


def cross_entropy(xp, logits, answers):
    """Sum the cross entropy over the batch: ``L = sum_b log(sum_v exp(s_bv)) - s_b,answer``.

    Parameters
    ----------
    xp : module
        Array module.
    logits : (B, V) float array
        s.
    answers : (B,) integer array
        Word ids.

    Returns
    -------
    loss : scalar float array
        Summed over the batch.
    backward : callable
        ``d_loss (scalar) -> d_logits (B, V)``, that is ``d_loss (softmax(s) - onehot(answer))``
    """
    rows = xp.arange(len(answers))
    # As in `softmax`: the shift keeps exp from overflow, and real parts define the largest.
    shifted = logits - logits.real.max(axis=1, keepdims=True)
    weights = xp.exp(shifted)  # (B, V)
    totals = weights.sum(axis=1)  # (B,)
    loss = (xp.log(totals) - shifted[rows, answers]).sum()

    def backward(d_loss):
        d_logits = weights / totals[:, None]
        d_logits[rows, answers] -= 1
        return d_loss * d_logits

    return loss, backward
