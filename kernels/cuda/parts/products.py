"""Sums of outer products, several in one launch or each by the library."""

from kvnet.kernels.cuda.parts.constants import PRODUCTS_PER_LAUNCH, TILE
from kvnet.kernels.cuda.parts.launch import blocks_for, launch, numbered

LARGE_PRODUCT = 1 << 24  # multiplications from which a product by the library is worth its launch


def products(xp, factors):
    """Multiply ``Z_j = X_jᵀ Y_j``.

    Parameters
    ----------
    xp : module
        Array module.
    factors : sequence of (X, Y)
        At most `PRODUCTS_PER_LAUNCH`: (K, m) and (K, n), or (P, K, m) and (P, K, n).

    Returns
    -------
    results : list of array
        (m, n) or (P, m, n).
    """
    results, small = [], []
    for X, Y in factors:
        (K, m), n, P = X.shape[-2:], Y.shape[-1], len(X) if X.ndim == 3 else 1
        if P * K * m * n >= LARGE_PRODUCT:
            results.append(X.swapaxes(-1, -2) @ Y)
            continue
        results.append(xp.empty((*X.shape[:-2], m, n), X.dtype))
        small.append(product(X, Y, results[-1], pairs=P, rows=K, m=m, n=n, all_m=m))
    if small:
        arguments = numbered_products(small) | {"parameter_stride": 0}
        launch(xp, results[0].dtype, "products", sum(map(blocks_of, small)), **arguments)
    return results


def numbered_products(products: list[dict]) -> dict:
    """Return the arguments of a kernel with `PRODUCTS_PER_LAUNCH` products; others are empty."""
    unused = [products[0] | {"pairs": 0}] * (PRODUCTS_PER_LAUNCH - len(products))
    return numbered([*products, *unused], PRODUCTS_PER_LAUNCH)


def product(X, Y, Z, *, pairs: int, rows: int, m: int, n: int, all_m: int) -> dict:
    """Return the arguments of a product of contiguous arrays.

    Parameters
    ----------
    X : (pairs, rows, m) float array
    Y : (pairs, rows, n) float array
    Z : (pairs, all_m, n) float array
        The result, whose rows from m on are set to zero.
    """
    sizes = {"pairs": pairs, "rows": rows, "m": m, "n": n, "all_m": all_m}
    return {"X": X, "Y": Y, "Z": Z, **sizes}


def blocks_of(product: dict) -> int:
    """Return how many blocks compute a product."""
    tiles = blocks_for(product["all_m"], TILE) * blocks_for(product["n"], TILE)
    return product["pairs"] * tiles
