"""The end of a hop: the query is updated with the vector that was read."""


def hop(xp, u, o, matrix):
    """Update the query: ``u' = (u + o) Rᵀ``.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, F) float array
        The query before the hop.
    o : (B, F) float array
        The vector read from the memory.
    matrix : (F, F) float array
        R of this hop.

    Returns
    -------
    u_next : (B, F) float array
    backward : callable
        ``du_next (B, F) -> du (B, F), do (B, F), d_matrix (F, F)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1.
    """
    s = u + o
    u_next = s @ matrix.T

    def backward(du_next):
        ds = du_next @ matrix
        d_matrix = du_next.T @ s
        return ds, ds, d_matrix

    return u_next, backward
