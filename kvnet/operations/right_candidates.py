"""Which candidates are right answers."""

SPACING = 1 << 32  # of questions in keys; more than entities


def right_candidates(xp, candidates, right, right_starts):
    """Find the candidates that are among the right answers of their question.

    Parameters
    ----------
    xp : module
        Array module.
    candidates : Candidates
        n in total.
    right : (A,) integer array
        The right answers of all questions, one question after another. Negative: no entity.
    right_starts : (B + 1,) int64 array

    Returns
    -------
    is_right : (n,) bool array
    questions : (n,) int64 array
        The question of each candidate.
    """
    count = len(candidates.entities)
    questions = xp.searchsorted(candidates.starts, xp.arange(count), side="right") - 1
    of_answer = xp.searchsorted(right_starts, xp.arange(len(right)), side="right") - 1
    keys = questions * SPACING + candidates.entities
    return xp.isin(keys, xp.where(right < 0, -1, of_answer * SPACING + right)), questions
