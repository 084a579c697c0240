"""The best candidate of each question."""


def largest_by_question(xp, weights, starts):
    """Return the position of the largest weight of each question.

    Parameters
    ----------
    xp : module
        Array module.
    weights : (n,) float array
    starts : (B + 1,) int64 array
        Question b has the weights ``starts[b]`` to ``starts[b + 1]``.

    Returns
    -------
    positions : (B,) int64 array
        The first of equal ones; -1 for a question without weights.
    """
    if not len(weights):
        return xp.full(len(starts) - 1, -1)
    questions = xp.searchsorted(starts, xp.arange(len(weights)), side="right") - 1
    order = xp.lexsort(xp.stack([-weights, questions.astype(weights.dtype)]))  # stable
    firsts = order[xp.minimum(starts[:-1], len(weights) - 1)]
    return xp.where(starts[1:] > starts[:-1], firsts, -1)
