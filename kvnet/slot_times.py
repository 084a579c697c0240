"""How far back each slot of a story stands, with blanks in between in training."""

from math import ceil

from kvnet.counter_random import uniform

PURPOSE = "blanks"


def most_places(slots: int, share: float) -> int:
    """Return the most times that a story may spread over, blanks included."""
    return slots + ceil(share * slots)


def slots_with_times(
    xp, keys, sentences: int, last: int, share: float, random_state: int, step, draw=uniform
):
    """Give each filled slot a time beside its sentence, 0 for the most recent.

    In training a story of n sentences gets ``b ~ uniform{0..ceil(share n)}`` blanks: n of the times
    ``0..n+b-1`` are kept at random, in order.

    Parameters
    ----------
    xp : module
        Array module.
    keys : (B, M) integer array
        The sentence that each slot holds; 0 for none.
    sentences : int
        U: time t has number U + t.
    last : int
        The last time there is; whatever is further back has it, too.
    share : float
    random_state : int
    step : int or None
        The training step, which the blanks hang on. No blanks without it.
    draw : callable
        `uniform`, or a kernel that does the same.

    Returns
    -------
    rows : (B, M, 2) integer array
        Each slot's sentence and its time's number; 0 for none.

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 4.1, "random noise".
    """
    (B, M), filled = keys.shape, keys != 0
    times = xp.arange(M)
    if step is not None and share > 0:
        n = filled.sum(axis=1)[:, None]  # (B, 1)
        most = most_places(M, share)
        u = draw(xp, random_state, PURPOSE, step, (B, most + 1), "float64")
        blanks = xp.floor(u[:, :1] * (xp.ceil(share * n) + 1))
        places = xp.arange(most)
        chance = xp.where(places < n + blanks, u[:, 1:], 2)  # 2 comes last
        rank = chance.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        kept = xp.sort(xp.where(rank < n, places, most), axis=1)[:, :M]
        times = xp.minimum(kept, last)
    return xp.stack([keys, xp.where(filled, sentences + times, 0)], axis=2)
