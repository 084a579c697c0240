"""The L2 penalty on all parameters."""


def l2_penalty(xp, theta, l2_lambda: float):
    """Penalise the squares of all parameters: ``L = λ/2 ‖θ‖²``.

    Parameters
    ----------
    xp : module
        Array module.
    theta : (N,) float array
        θ.
    l2_lambda : float
        λ.

    Returns
    -------
    loss : scalar float array
    backward : callable
        ``d_loss (scalar) -> d_theta (N,)``
    """
    loss = 0.5 * l2_lambda * xp.dot(theta, theta)

    def backward(d_loss):
        return d_loss * l2_lambda * theta

    return loss, backward
