"""One hop over a knowledge base: read the facts of the entities that are held."""

from kvnet.operations.facts import Candidates
from kvnet.operations.find_facts import find_facts
from kvnet.operations.in_order_of_appearance import in_order_of_appearance
from kvnet.operations.noisy_or import noisy_or
from kvnet.operations.scatter_rows import scatter_rows


def read_facts(xp, index, held, weights, asked, relations, drops, least):
    """Pass the weight of entities along their facts: a read of the memory that their keys hash.

    A fact i with key (s, r) and value o is addressed by ``p_i = e[s] ρ[r]``: is its subject held,
    and is its relation chosen? The entities that are read are
    ``e'[o] = 1 - Π_{i: value o} (1 - c p_i)``, see `noisy_or`, times ``1 - δ`` for the entity asked
    about.

    Parameters
    ----------
    xp : module
        Array module.
    index : FactIndex
    held : Candidates
        The entities that each of B questions holds.
    weights : (n,) float array
        e, by entity that is held.
    asked : (B,) integer array
        The entity that each question is about.
    relations : (B, R) float array
        ρ.
    drops : (B,) float array
        δ.
    least : (B,) float array
        Facts with a smaller p are not read.

    Returns
    -------
    new_weights : (m,) float array
        e', in the order in which the entities are read first.
    reached : Candidates
    facts : tuple of (f,) arrays
        For explanations: the owner of each fact that is read, as a position in `held`, the fact's
        position in the index and p.
    backward : callable
        ``d_new_weights (m,) -> d_weights (n,), d_relations (B, R), d_drops (B,)``
    """
    B, R = relations.shape
    owners, edges = find_facts(xp, index, held.entities)
    questions = xp.searchsorted(held.starts, owners, side="right") - 1
    cells = questions * R + index.relations[edges]
    p = weights[owners] * relations.reshape(-1)[cells]
    read = xp.flatnonzero(p.real >= least[questions])
    owners, edges, questions, cells, p = (x[read] for x in (owners, edges, questions, cells, p))
    count = len(index.starts) - 1
    firsts, groups = in_order_of_appearance(xp, questions * count + index.entities[edges])
    of_question, entities = questions[firsts], index.entities[edges][firsts]
    e, backward_or = noisy_or(xp, p, groups, len(firsts))
    again = xp.flatnonzero(entities == asked[of_question])  # at most one per question
    kept = xp.ones_like(e)
    kept[again] = 1 - drops[of_question[again]]

    def backward(d_new):
        d_drops = xp.zeros_like(drops)
        d_drops[of_question[again]] = -(d_new * e)[again]
        dp = backward_or(d_new * kept)
        d_weights = _sums(xp, owners, dp * relations.reshape(-1)[cells], len(weights))
        d_relations = _sums(xp, cells, dp * weights[owners], B * R).reshape(B, R)
        return d_weights, d_relations, d_drops

    reached = Candidates(xp.searchsorted(of_question, xp.arange(B + 1)), entities)
    return e * kept, reached, (owners, edges, p), backward


def _sums(xp, groups, x, size):
    return scatter_rows(xp, groups, x[:, None], size)[:, 0]
