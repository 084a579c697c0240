"""The choice of relations: hops of the question over a memory of all relations."""

from kvnet.operations.facts import Plan
from kvnet.operations.hop import hop
from kvnet.operations.linear import linear
from kvnet.operations.matrix_product import matrix_product
from kvnet.operations.sigmoid import sigmoid
from kvnet.operations.softmax import softmax


def relation_hops(xp, query, relations, R, gates, ends):
    """Plan what each question reads: H hops over a key-value memory whose slots are the relations.

    ``u_0 = q``; for h = 1..H: ``ρ_h = softmax(u_{h-1} Kᵀ)``, ``δ_h = sigmoid(u_{h-1} · g_h)``,
    ``u_h = (u_{h-1} + ρ_h K) R_hᵀ``; at the end ``λ = softmax(u_H Cᵀ)``.

    Parameters
    ----------
    xp : module
        Array module.
    query : (B, D) float array
        q, the readings of the questions.
    relations : (N, D) float array
        K, the embeddings of the relations: both the keys and the values of the slots.
    R : (H, D, D) float array
        R_1..R_H.
    gates : (H, D) float array
        g_1..g_H.
    ends : (H, D) float array
        C.

    Returns
    -------
    plan : Plan
        ρ, δ and λ.
    backward : callable
        ``d_plan (Plan) -> d_query (B, D), d_relations (N, D), dR (H, D, D), d_gates (H, D),
        d_ends (H, D)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3.1, for the hops; Shi et al. 2021 (TransferNet,
    arXiv 2104.07302), section 3.2, for a choice of relations in each hop.
    """
    u, chosen, drops, backward_hops, backward_gates = query, [], [], [], []
    for R_h, gate in zip(R, gates, strict=True):
        drop, backward_drop = linear(xp, u, gate[None])  # (B, 1)
        drop, backward_sigmoid = sigmoid(xp, drop)
        scores, backward_keys = linear(xp, u, relations)  # (B, N)
        rho, backward_softmax = softmax(xp, scores)
        o, backward_values = matrix_product(xp, rho, relations)
        u, backward_hop = hop(xp, u, o, R_h)
        chosen.append(rho)
        drops.append(drop[:, 0])
        backward_hops.append((backward_hop, backward_values, backward_softmax, backward_keys))
        backward_gates.append((backward_sigmoid, backward_drop))
    scores, backward_ends = linear(xp, u, ends)
    lam, backward_choice = softmax(xp, scores)

    def backward(d_plan):
        du, d_ends = backward_ends(backward_choice(d_plan.hops))
        d_relations, dR, d_gates = 0, [], []
        for h in reversed(range(len(R))):
            backward_hop, backward_values, backward_softmax, backward_keys = backward_hops[h]
            backward_sigmoid, backward_drop = backward_gates[h]
            du, do, dR_h = backward_hop(du)
            d_rho, d_values = backward_values(do)
            du_keys, d_keys = backward_keys(backward_softmax(d_rho + d_plan.relations[h]))
            du_gate, d_gate = backward_drop(backward_sigmoid(d_plan.drops[h][:, None]))
            du = du + du_keys + du_gate
            d_relations = d_relations + d_keys + d_values
            dR.insert(0, dR_h)
            d_gates.insert(0, d_gate[0])
        return du, d_relations, xp.stack(dR), xp.stack(d_gates), d_ends

    return Plan(xp.stack(chosen), xp.stack(drops), lam), backward
