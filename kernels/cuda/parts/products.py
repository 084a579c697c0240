"""Sums of outer products, several in one launch or each by the library."""

from typing import NamedTuple

import numpy

from kvnet.kernels.cuda.parts.constants import PRODUCTS_PER_LAUNCH, TILE
from kvnet.kernels.cuda.parts.launch import blocks_for, launch, numbered

LARGE_PRODUCT = 1 << 24  # multiplications from which a product by the library is worth its launch


class Product(NamedTuple):
    """A product ``Z = Xᵀ Y`` of several pairs of matrices.

    Attributes
    ----------
    X : (pairs, rows, m) contiguous float array
    Y : (pairs, rows, n) contiguous float array
    Z : (pairs, all_m, n) contiguous float array
        The result; its rows from m on are set to zero.
    pairs, rows, m, n, all_m : int
    """

    X: numpy.ndarray
    Y: numpy.ndarray
    Z: numpy.ndarray
    pairs: int
    rows: int
    m: int
    n: int
    all_m: int

    @property
    def blocks(self) -> int:
        """How many blocks compute it."""
        return self.pairs * blocks_for(self.all_m, TILE) * blocks_for(self.n, TILE)


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
        Z = xp.empty((*X.shape[:-2], m, n), X.dtype)
        small.append(Product(X=X, Y=Y, Z=Z, pairs=P, rows=K, m=m, n=n, all_m=m))
        results.append(Z)
    if small:
        grid = max(product.blocks for product in small), 1, len(small)
        arguments = numbered(small, PRODUCTS_PER_LAUNCH)
        launch(xp, small[0].Z.dtype, "products", grid, **arguments, parameter_stride=0)
    return results
