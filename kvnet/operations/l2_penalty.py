"""The L2 penalty on every parameter."""


def l2_penalty(xp, params, l2_lambda: float):
    """Sum the squares of all parameters: ``L = λ/2 sum ‖θ‖²``.

    Parameters
    ----------
    xp : module
        Array module.
    params : dict of str to float array
    l2_lambda : float
        λ.

    Returns
    -------
    loss : scalar float array
    backward : callable
        ``d_loss (scalar) -> d_params``, a dict with the names of `params`
    """
    loss = 0.5 * l2_lambda * sum((theta * theta).sum() for theta in params.values())

    def backward(d_loss):
        return {name: d_loss * l2_lambda * theta for name, theta in params.items()}

    return loss, backward
