"""Sums of outer products, several in one launch or each by the library."""

from kvnet.kernels.cuda.parts.compilation import blocks, launch

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
    outcomes, jobs = [], []
    for X, Y in pairs:
        X3, Y3 = (a.reshape(-1, *a.shape[-2:]) for a in (X, Y))
        (P, K, m), n = X3.shape, Y3.shape[2]
        if P * K * m * n >= LARGE:
            outcomes.append(X.swapaxes(-1, -2) @ Y)
            continue
        Z = xp.empty((*X.shape[:-2], m, n), X.dtype)
        jobs.append((X, Y, Z, P, K, m, n, m))
        outcomes.append(Z)
    if jobs:
        launch_products(xp, jobs)
    return outcomes


def launch_products(xp, jobs) -> None:
    """Make products in one launch.

    Parameters
    ----------
    xp : module
        Array module.
    jobs : sequence of (X, Y, Z, P, K, m, n, all_m)
        At most six: contiguous arrays and their sizes.
    """
    nothing = *jobs[0][:3], 0, 0, 1, 1, 1
    arguments = [*jobs, *[nothing] * (PRODUCTS_A_LAUNCH - len(jobs))]
    arguments = [*(part for job in arguments for part in job), 0]
    launch(xp, jobs[0][2].dtype, "products", (most_blocks(jobs), 1, len(jobs)), arguments)


def most_blocks(jobs) -> int:
    """Return how many blocks the largest of some products takes."""
    return max(map(blocks_of, jobs))


def blocks_of(job) -> int:
    """Return how many blocks a product takes, given the kernel's arguments for it."""
    *_, P, _, _, n, all_m = job
    return P * blocks(all_m, TILE) * blocks(n, TILE)
