"""Hops over one memory with one matrix, and the same memory given by number."""

from kvnet.operations.addressing import address
from kvnet.operations.linear import linear
from kvnet.operations.partial_relu import partial_relu
from kvnet.operations.read_slots import fill_slots


def layerwise_read(
    xp, u, keys, values, matrix, hops: int, linear_size: int, with_softmax: bool = True
):
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
        Components that `partial_relu` leaves as they are.
    with_softmax : bool
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
        mapped, backward_linear = linear(xp, u, matrix.T)
        u, backward_relu = partial_relu(xp, mapped + o, linear_size)
        attention.append(p)
        backward_hops.append((backward_address, backward_linear, backward_relu))

    def backward(du):
        d_keys, d_values, d_matrix = 0, 0, 0
        for backward_address, backward_linear, backward_relu in reversed(backward_hops):
            d_sum = backward_relu(du)  # of u C + o
            du_linear, dC_transposed = backward_linear(d_sum)
            du_address, dk, dv = backward_address(d_sum)
            du = du_linear + du_address
            d_keys, d_values, d_matrix = d_keys + dk, d_values + dv, d_matrix + dC_transposed.T
        return du, d_keys, d_values, d_matrix

    return u, xp.stack(attention), backward


def context_read(
    xp, u, key_readings, value_readings, TK, TV, matrix, rows, hops: int, linear_size: int
):
    """Hop over a memory whose slots hold words by number.

    ``k_i = r_k[row_i] + TK_i``, ``v_i = r_v[row_i] + TV_i``, then `layerwise_read`.

    Parameters
    ----------
    xp : module
        Array module.
    u : (B, E) float array
    key_readings, value_readings : (U, E) float array
        Embeddings of the different words.
    TK, TV : (M, E) float array
        Temporal encodings of keys and values.
    matrix : (E, E) float array
        C.
    rows : (B, M) integer array
        The word that each slot holds: a row of the readings.
    hops, linear_size : int
        As for `layerwise_read`.

    Returns
    -------
    u : (B, E) float array
    attention : (H, B, M) float array
    backward : callable
        ``du (B, E) -> du_0, d_key_readings, d_value_readings, dTK, dTV, d_matrix``

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 5.
    """
    keys, backward_keys = fill_slots(xp, key_readings, rows, TK)
    values, backward_values = fill_slots(xp, value_readings, rows, TV)
    u, attention, backward_read = layerwise_read(xp, u, keys, values, matrix, hops, linear_size)

    def backward(du):
        du, d_keys, d_values, d_matrix = backward_read(du)
        d_key_readings, dTK = backward_keys(d_keys)
        d_value_readings, dTV = backward_values(d_values)
        return du, d_key_readings, d_value_readings, dTK, dTV, d_matrix

    return u, attention, backward
