"""Hops over one memory, with a matrix that maps the query between them."""

from kvnet.operations.address import address
from kvnet.operations.matrix_product import matrix_product
from kvnet.operations.partial_relu import partial_relu


def layerwise_hops(xp, u, keys, values, matrix, hops: int, linear_size: int, with_softmax=True):
    """Hop H times: ``u' = partial_relu(u C + o)`` with ``o = sum_i softmax_i(u · k_i) v_i``.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
        u_0.
    keys, values : (B, M, E) float array
        The same for all hops.
    matrix : (E, E) float array
        C.
    hops : int
        H.
    linear_size : int
        Components that `partial_relu` does not rectify.
    with_softmax : bool, default=True
        As for `address`.

    Returns
    -------
    u : (B, E) float array
        u_H.
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0 (B, E), d_keys (B, M, E), d_values (B, M, E), d_matrix (E, E)``

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), sections 2.2 (layer-wise tying) and 5.
    """
    attention, backward_hops = [], []
    for _ in range(hops):
        o, p, backward_address = address(xp, u, keys, values, with_softmax=with_softmax)
        mapped, backward_map = matrix_product(xp, u, matrix)
        u, backward_relu = partial_relu(xp, mapped + o, linear_size)
        attention.append(p)
        backward_hops.append((backward_address, backward_map, backward_relu))

    def backward(du):
        d_keys, d_values, d_matrix = 0, 0, 0
        for backward_address, backward_map, backward_relu in reversed(backward_hops):
            d_sum = backward_relu(du)  # of u C + o
            du_map, dC = backward_map(d_sum)
            du_address, dk, dv = backward_address(d_sum)
            du = du_map + du_address
            d_keys, d_values, d_matrix = d_keys + dk, d_values + dv, d_matrix + dC
        return du, d_keys, d_values, d_matrix

    return u, xp.stack(attention), backward
