"""The time index of each slot, with random gaps in training (the paper's "random noise")."""

from math import ceil

from kvnet.operations.uniform import uniform

PURPOSE = "blanks"


def largest_span(slots: int, share: float) -> int:
    """Return the largest number of time steps that a story can span, gaps included."""
    return slots + ceil(share * slots)


def slots_with_times(
    xp, keys, sentences: int, last: int, share: float, random_state: int, step, draw=uniform
):
    """Give each filled slot a time index, 0 for the most recent, as a second row.

    In training a story of n sentences gets ``b ~ uniform{0..ceil(share n)}`` gaps: its times are a
    random, ordered choice of n of the times ``0..n+b-1``.

    Parameters
    ----------
    xp : module
        Array module.
    keys : (B, M) integer array
        The sentence in each slot; 0 for an empty slot.
    sentences : int
        U: the row of time t is U + t.
    last : int
        The largest time index; older sentences get it too.
    share : float
        Largest number of gaps, relative to the length of the story.
    random_state : int
    step : int or None
        Training step; seeds the gaps. None for no gaps.
    draw : callable
        `uniform` or its fused form.

    Returns
    -------
    rows : (B, M, 2) integer array
        The rows of each slot's sentence and time; 0 for an empty slot.

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), section 4.1, "random noise".
    """
    (B, M), filled = keys.shape, keys != 0
    times = xp.arange(M)
    if step is not None and share > 0:
        n = filled.sum(axis=1)[:, None]  # (B, 1)
        most = largest_span(M, share)
        u = draw(xp, random_state, PURPOSE, step, (B, most + 1), "float64")
        blanks = xp.floor(u[:, :1] * (xp.ceil(share * n) + 1))
        places = xp.arange(most)
        chance = xp.where(places < n + blanks, u[:, 1:], 2)  # 2 comes last
        rank = chance.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        kept = xp.sort(xp.where(rank < n, places, most), axis=1)[:, :M]
        times = xp.minimum(kept, last)
    return xp.stack([keys, xp.where(filled, sentences + times, 0)], axis=2)
