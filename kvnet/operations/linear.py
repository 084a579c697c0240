"""A linear map of rows."""


def linear(xp, x, matrix):
    """Map rows: ``y = x Aᵀ``. `matrix_product` multiplies by the matrix itself.

    Parameters
    ----------
    xp : module
        Array module.
    x : (..., D) float array
    matrix : (F, D) float array
        A.

    Returns
    -------
    y : (..., F) float array
    backward : callable
        ``dy (..., F) -> dx (..., D), d_matrix (F, D)``
    """
    F, D = matrix.shape
    y = x @ matrix.T

    def backward(dy):
        dx = dy @ matrix
        d_matrix = dy.reshape(-1, F).T @ x.reshape(-1, D)
        return dx, d_matrix

    return y, backward
