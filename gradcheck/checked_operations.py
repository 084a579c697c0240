"""The operations that are checked: for each, a function that builds a random case of it.

To check another operation, add a function of its name, whose parameters are drawn from
`cases.OPTIONS`.
"""

from collections.abc import Callable
from functools import partial, wraps

import numpy

from kvnet import operations as ops
from kvnet.gradcheck.cases import LOGITS, Case, RandomArrays, Subject, registering
from kvnet.gradcheck.nested_arrays import named_leaves
from kvnet.kernels import choose_operations

# Operations without a gradient: constants, random numbers, and parts of other operations.
CONSTANTS = (
    "centred_position_encoding",
    "normal",
    "own_length_encoding",
    "position_encoding",
    "scatter_rows",
    "slots_with_times",
    "uniform",
    "without_nil",
)
OPERATIONS: dict[str, Subject] = {}
operation = registering(OPERATIONS)


def cancellation(logits: str) -> float:
    """Return the size of the terms that cancel where a softmax or a sigmoid saturates: 1."""
    return 0.0 if logits == "ordinary" else 1.0


def in_form(name: str, kernels: str, a: RandomArrays, inputs, constants=(), scale=0.0) -> Case:
    """Return a case of an operation: in its textbook form, or fused, to equal the textbook."""
    textbook = partial(getattr(ops, name), a.xp)
    if kernels == "reference":
        return Case(textbook, inputs, constants, scale)
    fused = partial(getattr(choose_operations(kernels, a.xp), name), a.xp)
    return Case(of_real_arrays(fused), inputs, constants, scale, textbook)


def of_real_arrays(kernel: Callable) -> Callable:
    """Return a kernel that refuses complex arrays at once: Numba takes 0.1 s to refuse them."""

    @wraps(kernel)
    def function(*inputs):
        for name, leaf in named_leaves(inputs, "inputs"):
            if getattr(leaf, "dtype", numpy.dtype(int)).kind == "c":
                raise TypeError(f"{name} is complex; a fused kernel takes real arrays")
        return kernel(*inputs)

    return function


def hop_matrices(a: RandomArrays, H, F):
    """Draw R_1..R_H as one array."""
    return a.normal(H, F, F, size=F**-0.5)


def gru_weights(a: RandomArrays, E, F, gate_bias) -> ops.GruWeights:
    """Draw the weights of a GRU, given its gate bias."""
    size = (E + F) ** -0.5
    gate_weights, candidate_weights = (
        a.normal(E + F, 2 * F, size=size),
        a.normal(E + F, F, size=size),
    )
    return ops.GruWeights(gate_weights, gate_bias(2 * F), candidate_weights, a.normal(F))


@operation()
def embedding_lookup(a: RandomArrays, words, V, N, S, E) -> Case:
    """Look up padded sentences."""
    function = partial(ops.embedding_lookup, a.xp)
    return Case(function, (a.words(words, V, N, S), a.normal(V, E)))


@operation(kernels=("reference", "fused"))
def embedding_sum(a: RandomArrays, kernels, words, V, N, S, E) -> Case:
    """Read padded sentences; the encoding is a constant."""
    inputs = (a.words(words, V, N, S), a.normal(V, E), a.normal(S, E))
    return in_form("embedding_sum", kernels, a, inputs, ("encoding",))


@operation()
def linear(a: RandomArrays, rank, B, M, E, F) -> Case:
    """Map a matrix, or a batch of them."""
    x = a.normal(B, E) if rank == 2 else a.normal(B, M, E)
    return Case(partial(ops.linear, a.xp), (x, a.normal(F, E)))


@operation()
def matrix_product(a: RandomArrays, B, E, F) -> Case:
    """Multiply rows by a matrix."""
    return Case(partial(ops.matrix_product, a.xp), (a.normal(B, F), a.normal(F, E)))


@operation()
def take_rows(a: RandomArrays, B, M, N, E) -> Case:
    """Take rows of a table; some several times, some never."""
    return Case(partial(ops.take_rows, a.xp), (a.normal(N, E), a.rows(N, B, M)))


@operation(logits=tuple(LOGITS))
def softmax(a: RandomArrays, logits, allowed, B, M) -> Case:
    """Normalise scores of any size, all or some of them allowed."""
    inputs = (a.logits(logits, B, M), a.allowed(allowed, B, M))
    return Case(partial(ops.softmax, a.xp), inputs, scale=cancellation(logits))


@operation(logits=tuple(LOGITS))
def address(a: RandomArrays, logits, allowed, with_softmax, B, M, F) -> Case:
    """Read a memory with attention of any sharpness."""
    u = a.normal(B, F, size=LOGITS[logits] * F**-0.5)  # so that ordinary scores are near 1
    keys, values = a.normal(B, M, F), a.normal(B, M, F)
    if logits != "ordinary":
        keys[:, -1] = keys[:, 0]  # two slots with one key share the attention, however sharp
    through_values = cancellation(logits) * float(abs(values).max())
    scale = {
        "u": through_values * float(abs(keys).max()),
        "keys": through_values * float(abs(u).max()),
    }
    inputs = (u, keys, values, a.allowed(allowed, B, M), with_softmax)
    return Case(partial(ops.address, a.xp), inputs, scale=scale)


@operation()
def hop(a: RandomArrays, B, F) -> Case:
    """Update a query."""
    return Case(partial(ops.hop, a.xp), (a.normal(B, F), a.normal(B, F), a.normal(F, F)))


@operation()
def key_value_hops(a: RandomArrays, allowed, B, M, E, F, H) -> Case:
    """Hop over a memory."""
    query, keys, values = a.normal(B, E), a.normal(B, M, E), a.normal(B, M, E)
    A = a.normal(F, E, size=E**-0.5 * F**-0.25)  # so that scores are near 1
    inputs = (query, keys, values, A, hop_matrices(a, H, F), a.allowed(allowed, B, M))
    return Case(partial(ops.key_value_hops, a.xp), inputs)


@operation()
def fill_slots(a: RandomArrays, B, M, N, E) -> Case:
    """Fill slots with readings; some are in several slots, some in none."""
    inputs = (a.normal(N, E), a.rows(N, B, M), a.normal(M, E))
    return Case(partial(ops.fill_slots, a.xp), inputs)


def question_and_memory(a: RandomArrays, masked, B, M, N, E, F, H) -> tuple:
    """Draw the first arguments of `key_value_hops_by_row`."""
    key_rows = a.rows(N, B, M)
    value_rows = a.xp.where(key_rows == 0, 0, a.rows(N, B, M))
    query, readings, TK, TV = a.normal(B, E), a.normal(N, E), a.normal(M, E), a.normal(M, E)
    R, A = hop_matrices(a, H, F), a.normal(F, E, size=E**-0.5 * F**-0.25)  # scores are near 1
    allowed = key_rows != 0 if masked else None
    return query, ops.Memory(readings, TK, TV, key_rows, value_rows, allowed), A, R


@operation(kernels=("reference", "fused"))
def key_value_hops_by_row(a: RandomArrays, kernels, masked, B, M, N, E, F, H) -> Case:
    """Hop over a memory whose slots name their readings."""
    inputs = question_and_memory(a, masked, B, M, N, E, F, H)
    return in_form("key_value_hops_by_row", kernels, a, inputs)


@operation(kernels=("reference", "fused"))
def answer_loss(a: RandomArrays, kernels, masked, B, M, N, V, E, F, H) -> Case:
    """Compute the loss of answers from such a memory."""
    inputs = question_and_memory(a, masked, B, M, N, E, F, H)
    output_map, table = a.normal(F, E, size=F**-0.5), a.normal(V, E)
    answers = a.xp.asarray(a.rng.integers(0, V, B))
    return in_form("answer_loss", kernels, a, (*inputs, output_map, table, answers))


@operation()
def partial_relu(a: RandomArrays, linear_size, B, E) -> Case:
    """Rectify all, some or no components."""
    return Case(partial(ops.partial_relu, a.xp), (a.normal(B, E), min(linear_size, E)))


@operation()
def layerwise_hops(a: RandomArrays, linear_size, with_softmax, B, M, E, H) -> Case:
    """Hop over one memory with one matrix."""
    matrix = a.normal(E, E, size=E**-0.5)
    inputs = (a.normal(B, E), a.normal(B, M, E), a.normal(B, M, E), matrix, H, min(linear_size, E))
    return Case(partial(ops.layerwise_hops, a.xp), (*inputs, with_softmax))


@operation()
def adjacent_hops(a: RandomArrays, with_softmax, B, M, E, H) -> Case:
    """Hop over a different memory in each hop."""
    memories = [a.normal(B, M, E, size=E**-0.5) for _ in range(H + 1)]
    return Case(partial(ops.adjacent_hops, a.xp), (a.normal(B, E), memories, with_softmax))


@operation()
def sum_slots(a: RandomArrays, B, M, N, E) -> Case:
    """Sum two readings per slot, or one, or none."""
    return Case(partial(ops.sum_slots, a.xp), (a.normal(N, E), a.rows(N, B, M, 2)))


@operation(kernels=("reference", "fused"))
def adjacent_hops_by_row(a: RandomArrays, kernels, with_softmax, B, M, N, E, H) -> Case:
    """Hop over memories of summed slots, a different one in each hop."""
    readings = [a.normal(N, E, size=E**-0.5) for _ in range(H + 1)]
    inputs = (a.normal(B, E), readings, a.rows(N, B, M, 2), with_softmax)
    return in_form("adjacent_hops_by_row", kernels, a, inputs)


@operation(kernels=("reference", "fused"))
def layerwise_hops_by_row(a: RandomArrays, kernels, with_softmax, B, M, N, E, H) -> Case:
    """Hop over one memory of summed slots with one matrix."""
    readings = a.normal(N, E, size=E**-0.5), a.normal(N, E, size=E**-0.5)
    matrix, rows = a.normal(E, E, size=E**-0.5), a.rows(N, B, M, 2)
    inputs = (a.normal(B, E), *readings, matrix, rows, H, with_softmax)
    return in_form("layerwise_hops_by_row", kernels, a, inputs)


@operation(kernels=("reference", "fused"))
def context_hops_by_row(a: RandomArrays, kernels, linear_size, B, M, N, E, H) -> Case:
    """Hop over a memory whose slots name their words."""
    size = (2 * E) ** -0.5  # so that scores are near 1: a saturated softmax has no gradient
    readings = a.normal(N, E, size=size), a.normal(N, E, size=size)
    temporal = a.normal(M, E, size=size), a.normal(M, E, size=size)
    matrix, memory = a.normal(E, E, size=E**-0.5), (*readings, *temporal, a.rows(N, B, M))
    inputs = (a.normal(B, E), ops.ContextMemory(*memory), matrix, H, min(linear_size, E))
    return in_form("context_hops_by_row", kernels, a, inputs)


@operation(logits=tuple(LOGITS))
def gru(a: RandomArrays, logits, N, S, E, F) -> Case:
    """Read sentences with gates that are open, shut or in between."""
    weights = gru_weights(a, E, F, lambda size: a.logits(logits, size))
    return Case(partial(ops.gru, a.xp), (a.normal(N, S, E), weights), scale=cancellation(logits))


@operation(kernels=("reference", "fused"))
def gru_reading(a: RandomArrays, kernels, words, V, N, S, E, F) -> Case:
    """Read padded sentences with a GRU."""
    inputs = (a.words(words, V, N, S), a.normal(V, E), gru_weights(a, E, F, a.normal))
    return in_form("gru_reading", kernels, a, inputs)


@operation()
def dropout(a: RandomArrays, keep_prob, N, F) -> Case:
    """Drop components by given random numbers: linear in x for any choice."""
    inputs = (a.normal(N, F), a.uniform(N, F), keep_prob)
    return Case(partial(ops.dropout, a.xp), inputs, ("uniforms",))


@operation()
def word_scores(a: RandomArrays, nil, B, V, E) -> Case:
    """Score all words, with a nil word among them or not."""
    return Case(partial(ops.word_scores, a.xp), (a.normal(B, E), a.normal(V, E), nil))


@operation(logits=tuple(LOGITS))
def cross_entropy(a: RandomArrays, logits, B, V) -> Case:
    """Compute the loss of scores of any size; the nil word may be the answer."""
    answers = a.xp.asarray(a.rng.integers(0, V, B))
    inputs = (a.logits(logits, B, V), answers)
    return Case(partial(ops.cross_entropy, a.xp), inputs, scale=cancellation(logits))


@operation(kernels=("reference", "fused"), logits=tuple(LOGITS))
def word_cross_entropy(a: RandomArrays, kernels, logits, nil, B, V, E) -> Case:
    """Score all words and compute the loss; the nil word may be the answer."""
    h, table = a.normal(B, E, size=LOGITS[logits] * E**-0.5), a.normal(V, E)
    answers = a.xp.asarray(a.rng.integers(0, V, B))
    scale = {
        "h": cancellation(logits) * float(abs(table).max()),
        "table": cancellation(logits) * float(abs(h).max()),
    }
    return in_form("word_cross_entropy", kernels, a, (h, table, answers, nil), scale=scale)


@operation()
def l2_penalty(a: RandomArrays, N) -> Case:
    """Penalise a vector."""
    return Case(partial(ops.l2_penalty, a.xp), (a.normal(N), 0.3))
