"""The choice of relations, a block of questions at a time over all hops."""

import numpy

from kvnet.kernels.parts.blocks import cut
from kvnet.kernels.parts.compile_cache import njit
from kvnet.kernels.parts.compile_options import NOT_INLINED, OPTIONS
from kvnet.kernels.parts.matrices import add_up, copy_into, multiply
from kvnet.kernels.parts.row_products import add, dot
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
def _plan(query, relations, relations_T, R_T, gates, ends_T, us, zs, rho, drops, lam, lo, hi):
    """Fill the queries before each hop, their sums with what is read, and the plan."""
    copy_into(us[0, lo:hi], query[lo:hi])
    for h in range(len(R_T)):
        u, p, z = us[h, lo:hi], rho[h, lo:hi], zs[h, lo:hi]
        multiply(u, relations_T, p)
        for b in range(hi - lo):
            drops[h, lo + b] = 1 / (1 + numpy.exp(-dot(u[b], gates[h])))
            _softmax(p[b])
        multiply(p, relations, z)
        add_up(u, z)
        multiply(z, R_T[h], us[h + 1, lo:hi])
    multiply(us[len(R_T), lo:hi], ends_T, lam[lo:hi])
    for b in range(lo, hi):
        _softmax(lam[b])


@njit(**NOT_INLINED)
def _plan_backward(
    relations, relations_T, R, gates, ends, us, zs, rho, drops, lam,
    d_rho, d_drops, d_lam, d_query, lo, hi,
):  # fmt: skip
    """Fill the gradients of the queries; return those of the parameters."""
    H, N, D = len(R), len(relations), us.shape[2]
    d_relations, part = numpy.zeros_like(relations), numpy.empty_like(relations)
    dR, d_gates, d_ends = numpy.empty_like(R), numpy.zeros_like(gates), numpy.empty_like(ends)
    dz, through_keys = numpy.empty((hi - lo, D), us.dtype), numpy.empty((hi - lo, D), us.dtype)
    d_scores, d_choice = numpy.empty((hi - lo, N), us.dtype), numpy.empty((hi - lo, H), us.dtype)
    du = d_query[lo:hi]
    copy_into(d_choice, d_lam[lo:hi])
    for b in range(hi - lo):
        _softmax_backward(lam[lo + b], d_choice[b])
    multiply(d_choice, ends, du)
    multiply(d_choice.T, us[H, lo:hi], d_ends)
    for h in range(H - 1, -1, -1):
        u, p = us[h, lo:hi], rho[h, lo:hi]
        multiply(du.T, zs[h, lo:hi], dR[h])
        multiply(du, R[h], dz)
        multiply(dz, relations_T, d_scores)
        multiply(p.T, dz, part)
        add_up(part, d_relations)
        copy_into(du, dz)
        for b in range(hi - lo):
            add(d_scores[b], us.dtype.type(1), d_rho[h, lo + b])
            _softmax_backward(p[b], d_scores[b])
            d_gate = d_drops[h, lo + b] * drops[h, lo + b] * (1 - drops[h, lo + b])
            add(d_gates[h], d_gate, u[b])
            add(du[b], d_gate, gates[h])
        multiply(d_scores, relations, through_keys)
        add_up(through_keys, du)
        multiply(d_scores.T, u, part)
        add_up(part, d_relations)
    return d_relations, dR, d_gates, d_ends


def relation_hops(xp, query, relations, R, gates, ends):
    """Fused form of `kvnet.operations.relation_hops`: no array per operation.

    Parameters, returns and references: see `kvnet.operations.relation_hops`.
    """
    query, *tables = (numpy.ascontiguousarray(x) for x in (query, relations, R, gates, ends))
    relations, R, gates, ends = tables
    K_T, R_T, C_T = map(numpy.ascontiguousarray, (relations.T, R.transpose(0, 2, 1), ends.T))
    (B, D), H, dtype = query.shape, len(R), query.dtype
    us, zs = numpy.empty((H + 1, B, D), dtype), numpy.empty((H, B, D), dtype)
    plan = Plan(
        numpy.empty((H, B, len(relations)), dtype), numpy.empty((H, B), dtype),
        numpy.empty((B, H), dtype),
    )  # fmt: skip
    cuts = cut(B, QUESTIONS_PER_BLOCK)
    blocks = len(cuts) - 1
    of_forward = query, relations, K_T, R_T, gates, C_T, us, zs, *plan
    map_on_all_threads(lambda k: _plan(*of_forward, cuts[k], cuts[k + 1]), blocks)

    def backward(d_plan):
        d_query, d_plan = numpy.empty_like(query), map(numpy.ascontiguousarray, d_plan)
        arguments = relations, K_T, R, gates, ends, us, zs, *plan, *d_plan, d_query
        parts = map_on_all_threads(
            lambda k: _plan_backward(*arguments, cuts[k], cuts[k + 1]), blocks
        )
        return d_query, *(
            sum(of_blocks[1:], of_blocks[0]) for of_blocks in zip(*parts, strict=True)
        )

    return plan, backward
