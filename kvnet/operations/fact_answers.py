"""Answers from a knowledge base whose keys are hashed again at every hop."""

from kvnet.operations.facts import Candidates, Plan
from kvnet.operations.in_order_of_appearance import in_order_of_appearance
from kvnet.operations.read_facts import read_facts
from kvnet.operations.scatter_rows import scatter_rows


def fact_answers(xp, index, asked, plan, least: float):
    """Follow chains of facts from the entity asked about, and weigh the entities reached.

    ``e_0`` is 1 for the entity asked about; for h = 1..H: ``e_h = read_facts(e_{h-1}, ρ_h, δ_h)``;
    the answers are ``a = Σ_h λ_h e_h``.

    Parameters
    ----------
    xp : module
        Array module.
    index : FactIndex
    asked : (B,) integer array
        Entities.
    plan : Plan
        ρ, δ and λ.
    least : float
        Facts that add less than this to the weight of an answer are not read: those with
        ``p_i Σ_{h' >= h} λ_h' < least``.

    Returns
    -------
    weights : (n,) float array
        a, the probability of each candidate to be an answer.
    candidates : Candidates
        All entities reached, those of the first hop first.
    backward : callable
        ``d_weights (n,) -> d_plan (Plan)``

    References
    ----------
    Shi et al. 2021 (TransferNet, arXiv 2104.07302), section 3, with `noisy_or` for its truncation.
    """
    H, B = plan.drops.shape
    e, held = xp.ones(B, plan.relations.dtype), Candidates(xp.arange(B + 1), asked)
    questions, entities, of_hop, backward_hops = [], [], [], []
    bounds = least_weights(xp, plan.hops, least)
    for h in range(H):
        e, held, _, backward_hop = read_facts(
            xp, index, held, e, asked, plan.relations[h], plan.drops[h], bounds[:, h]
        )
        questions.append(xp.searchsorted(held.starts, xp.arange(len(e)), side="right") - 1)
        entities.append(held.entities)
        of_hop.append(e)
        backward_hops.append(backward_hop)
    sizes = [len(e) for e in of_hop]
    questions, entities, e = (xp.concatenate(parts) for parts in (questions, entities, of_hop))
    hops = xp.concatenate([xp.full(size, h) for h, size in enumerate(sizes)])
    order = xp.argsort(questions, kind="stable")
    keys = questions * (len(index.starts) - 1) + entities
    firsts, numbers = in_order_of_appearance(xp, keys[order])
    groups = xp.empty_like(numbers)
    groups[order] = numbers
    terms = plan.hops[questions, hops] * e
    weights = scatter_rows(xp, groups, terms[:, None], len(firsts))[:, 0]
    starts = xp.searchsorted(questions[order][firsts], xp.arange(B + 1))

    def backward(d_weights):
        da = d_weights[groups]
        d_hops = scatter_rows(xp, questions * H + hops, (da * e)[:, None], B * H).reshape(B, H)
        de = da * plan.hops[questions, hops]
        d_relations, d_drops, d_next, stop = [], [], 0, len(de)
        for backward_hop, size in zip(reversed(backward_hops), reversed(sizes), strict=True):
            d_next, d_rho, d_drop = backward_hop(de[stop - size : stop] + d_next)
            stop -= size
            d_relations.insert(0, d_rho)
            d_drops.insert(0, d_drop)
        return Plan(xp.stack(d_relations), xp.stack(d_drops), d_hops)

    return weights, Candidates(starts, entities[order][firsts]), backward


def least_weights(xp, hops, least: float):
    """Return the weight that a fact needs to be read, by question and hop.

    Parameters
    ----------
    xp : module
        Array module.
    hops : (B, H) float array
        λ.
    least : float
        As for `fact_answers`.

    Returns
    -------
    bounds : (B, H) float array
    """
    rest = xp.cumsum(hops.real[:, ::-1], axis=1)[:, ::-1]
    return least / xp.maximum(rest, 1e-30).astype(hops.real.dtype)
