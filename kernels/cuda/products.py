"""Sums of outer products, several in one launch or each by the library."""

from kvnet.kernels.cuda.compilation import blocks, launch

TILE = 16
PRODUCTS_A_LAUNCH = 6
LARGE = 1 << 24  # multiplications from which the library's product is faster than a launch saved


def products(xp, pairs):
    """Multiply ``Z_j = X_jᵀ Y_j``.

    Parameters
    ----------
    xp : module
        Array module.
    pairs : sequence of (X, Y)
        At most six. X is (K, m) and Y (K, n), or several of them: (P, K, m) and (P, K, n).

    Returns
    -------
    Z : list of array
        (m, n) or (P, m, n).
    """
    outcomes, arguments, most = [], [], 1
    for X, Y in pairs:
        X3, Y3 = (a.reshape(-1, *a.shape[-2:]) for a in (X, Y))
        (P, K, m), n = X3.shape, Y3.shape[2]
        if P * K * m * n >= LARGE:
            outcomes.append(X.swapaxes(-1, -2) @ Y)
            continue
        Z = xp.empty((*X.shape[:-2], m, n), X.dtype)
        arguments += [X, Y, Z, P, K, m, n]
        most = max(most, P * blocks(m, TILE) * blocks(n, TILE))
        outcomes.append(Z)
    count = len(arguments) // 7
    if count:
        arguments += [*arguments[:3], 0, 0, 1, 1] * (PRODUCTS_A_LAUNCH - count)
        launch(xp, outcomes[0].dtype, "products", (most, count), arguments)
    return outcomes
