"""Dropout, with its random numbers drawn outside."""


def dropout(xp, x, uniforms, keep_prob: float):
    """Drop components at random, scale up the rest: ``y = x / keep_prob`` where ``u < keep_prob``.

    Parameters
    ----------
    xp : module
        Array module.
    x : float array
    uniforms : float array of x's shape, or of one that spreads over it
        Uniform numbers between 0 and 1, so that every backend and kernel can draw the same.
    keep_prob : float
        Share of components kept, in (0, 1].

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
