"""The choice of relations, one question at a time over all hops."""

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS
from kvnet.kernels.parts.row_products import add, add_transposed, dot, times
from kvnet.kernels.parts.threads import map_on_all_threads
from kvnet.operations.facts import Plan

QUESTIONS_PER_BLOCK = 32


@njit(**OPTIONS)
def _softmax(x):
    largest, total = x[0], x.dtype.type(0)
    for i in range(len(x)):
        largest = max(largest, x[i])
    for i in range(len(x)):
        x[i] = numpy.exp(x[i] - largest)
        total += x[i]
    for i in range(len(x)):
        x[i] /= total


@njit(**OPTIONS)
def _softmax_backward(p, dp):
    """Change the gradient of probabilities to that of the scores."""
    mean = dot(p, dp)
    for i in range(len(p)):
        dp[i] = p[i] * (dp[i] - mean)


@njit(**NOT_INLINED)
def _plan(query, relations, R, gates, ends, us, zs, rho, drops, lam, lo, hi):
    """Fill the queries before each hop, their sums with what is read, and the plan."""
    for b in range(lo, hi):
        us[0, b] = query[b]
        for h in range(len(R)):
            drops[h, b] = 1 / (1 + numpy.exp(-dot(us[h, b], gates[h])))
            times(relations, us[h, b], rho[h, b])
            _softmax(rho[h, b])
            zs[h, b] = us[h, b]
            add_transposed(relations, rho[h, b], zs[h, b])
            times(R[h], zs[h, b], us[h + 1, b])
        times(ends, us[len(R), b], lam[b])
        _softmax(lam[b])


@njit(**NOT_INLINED)
def _plan_backward(
    relations, R, gates, ends, us, zs, rho, drops, lam, d_rho, d_drops, d_lam, d_query, lo, hi
):
    """Fill the gradients of the queries; return those of the parameters."""
    H, D = len(R), us.shape[2]
    d_relations, dR = numpy.zeros_like(relations), numpy.zeros_like(R)
    d_gates, d_ends = numpy.zeros_like(gates), numpy.zeros_like(ends)
    du, dz = numpy.empty(D, us.dtype), numpy.empty(D, us.dtype)
    d_scores, d_choice = numpy.empty(len(relations), us.dtype), numpy.empty(H, us.dtype)
    for b in range(lo, hi):
        d_choice[:] = d_lam[b]
        _softmax_backward(lam[b], d_choice)
        du[:] = 0
        for h in range(H):
            add(du, d_choice[h], ends[h])
            add(d_ends[h], d_choice[h], us[H, b])
        for h in range(H - 1, -1, -1):
            for d in range(D):
                add(dR[h, d], du[d], zs[h, b])
            dz[:] = 0
            add_transposed(R[h], du, dz)
            times(relations, dz, d_scores)
            for r in range(len(relations)):
                d_scores[r] += d_rho[h, b, r]
                add(d_relations[r], rho[h, b, r], dz)
            _softmax_backward(rho[h, b], d_scores)
            d_gate = d_drops[h, b] * drops[h, b] * (1 - drops[h, b])
            add(d_gates[h], d_gate, us[h, b])
            du[:] = dz
            add(du, d_gate, gates[h])
            for r in range(len(relations)):
                add(du, d_scores[r], relations[r])
                add(d_relations[r], d_scores[r], us[h, b])
        d_query[b] = du
    return d_relations, dR, d_gates, d_ends


def relation_hops(xp, query, relations, R, gates, ends):
    """Fused form of `kvnet.operations.relation_hops`: no array per operation.

    Parameters, returns and references: see `kvnet.operations.relation_hops`.
    """
    query, *tables = (numpy.ascontiguousarray(x) for x in (query, relations, R, gates, ends))
    (B, D), H, dtype = query.shape, len(R), query.dtype
    us, zs = numpy.empty((H + 1, B, D), dtype), numpy.empty((H, B, D), dtype)
    plan = Plan(
        numpy.empty((H, B, len(relations)), dtype), numpy.empty((H, B), dtype),
        numpy.empty((B, H), dtype),
    )  # fmt: skip
    cuts = cut(B, QUESTIONS_PER_BLOCK)
    blocks = len(cuts) - 1
    map_on_all_threads(lambda k: _plan(query, *tables, us, zs, *plan, cuts[k], cuts[k + 1]), blocks)

    def backward(d_plan):
        d_query, d_plan = numpy.empty_like(query), map(numpy.ascontiguousarray, d_plan)
        arguments = *tables, us, zs, *plan, *d_plan, d_query
        parts = map_on_all_threads(
            lambda k: _plan_backward(*arguments, cuts[k], cuts[k + 1]), blocks
        )
        return d_query, *(
            sum(of_blocks[1:], of_blocks[0]) for of_blocks in zip(*parts, strict=True)
        )

    return plan, backward
