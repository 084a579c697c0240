"""A rectifier on the last components of a vector."""


def partial_relu(xp, x, linear_size: int):
    """Rectify the components after the first L: ``y = [x_1..x_L, max(x_{L+1..E}, 0)]``.

    Parameters
    ----------
    xp : module
        Array module.
    x : (B, E) float array
    linear_size : int
        L, from 0 to E: components that are not rectified.

    Returns
    -------
    y : (B, E) float array
    backward : callable
        ``dy (B, E) -> dx (B, E)``

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 5.
    """
    passes = x.real > 0  # (B, E)
    passes[:, :linear_size] = True
    y = x * passes

    def backward(dy):
        return dy * passes

    return y, backward
