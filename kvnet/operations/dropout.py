"""Dropout, given its random numbers."""


def dropout(xp, x, uniforms, keep_prob: float):
    """Drop components at random and scale up the others: ``y = x / p`` where ``u < p``, else 0.

    Parameters
    ----------
    xp : module
        Array module.
    x : float array
    uniforms : float array of x's shape, or of one that broadcasts to it
        u, uniform numbers between 0 and 1. An argument, so that every backend can use the same.
    keep_prob : float
        p, the probability of keeping a component, in (0, 1].

    Returns
    -------
    y : float array of x's shape
    backward : callable
        ``dy -> dx``

    References
    ----------
    Srivastava et al. 2014, "Dropout", in the scaled form.
    """
    scale = (uniforms < keep_prob).astype(x.real.dtype) / keep_prob
    y = x * scale

    def backward(dy):
        return dy * scale

    return y, backward
