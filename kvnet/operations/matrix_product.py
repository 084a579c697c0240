"""A product of rows with a matrix."""


def matrix_product(xp, x, matrix):
    """Multiply rows by a matrix: ``y = x C``. `linear` multiplies by the transpose.

    Parameters
    ----------
    xp : module
        Array module.
    x : (B, F) float array
    matrix : (F, E) float array
        C.

    Returns
    -------
    y : (B, E) float array
    backward : callable
        ``dy (B, E) -> dx (B, F), d_matrix (F, E)``
    """
    y = x @ matrix

    def backward(dy):
        dx = dy @ matrix.T
        d_matrix = x.T @ dy
        return dx, d_matrix

    return y, backward
