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
    "find_facts",
    "find_memories",
    "in_order_of_appearance",
    "largest_by_question",
    "normal",
    "own_length_encoding",
    "position_encoding",
    "right_candidates",
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


@operation(kernels=("reference", "fused"))
def take_rows(a: RandomArrays, kernels, B, M, N, E) -> Case:
    """Take rows of a table; some several times, some never."""
    return in_form("take_rows", kernels, a, (a.normal(N, E), a.rows(N, B, M)))


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
def memory_hops(a: RandomArrays, allowed, B, M, F, H) -> Case:
    """Hop over a memory whose keys are mapped already."""
    keys, values = a.normal(B, M, F, size=F**-0.25), a.normal(B, M, F)
    inputs = (a.normal(B, F, size=F**-0.25), keys, values, hop_matrices(a, H, F))
    return Case(partial(ops.memory_hops, a.xp), (*inputs, a.allowed(allowed, B, M)))


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
    hops = 5 if H == 3 else H  # the kernel takes four hops at a time
    inputs = (a.normal(B, E), ops.ContextMemory(*memory), matrix, hops, min(linear_size, E))
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


@operation(logits=tuple(LOGITS))
def sigmoid(a: RandomArrays, logits, B, F) -> Case:
    """Map numbers of any size."""
    return Case(partial(ops.sigmoid, a.xp), (a.logits(logits, B, F),), scale=cancellation(logits))


def probabilities(a: RandomArrays, *shape):
    """Draw probabilities that are not so near 0 or 1 that a step of a difference passes it."""
    return 0.1 + 0.8 * a.uniform(*shape)


@operation()
def noisy_or(a: RandomArrays, B, N) -> Case:
    """Combine probabilities in groups, some of them empty."""
    groups = a.xp.asarray(a.rng.integers(0, B, N))
    return Case(partial(ops.noisy_or, a.xp), (probabilities(a, N), groups, B))


@operation(kernels=("reference", "fused"))
def relation_hops(a: RandomArrays, kernels, B, N, E, H) -> Case:
    """Choose relations; the parts of the plan are one output."""
    tables = (a.normal(size, E, size=E**-0.5) for size in (N, H, H))
    relations, gates, ends = tables
    inputs = (a.normal(B, E), relations, hop_matrices(a, H, E), gates, ends)
    textbook = flat_plan(a, ops.relation_hops)
    if kernels == "reference":
        return Case(textbook, inputs)
    return Case(
        flat_plan(a, choose_operations(kernels, a.xp).relation_hops), inputs, (), 0.0, textbook
    )


def flat_plan(a: RandomArrays, form):
    """Return a form of `relation_hops` whose output is one array, as `check_gradients` takes it."""

    def relation_hops(query, relations, R, gates, ends):
        plan, backward = form(a.xp, query, relations, R, gates, ends)
        ends_at = numpy.cumsum([part.size for part in plan]).tolist()

        def backward_flat(d):
            parts = d[: ends_at[0]], d[ends_at[0] : ends_at[1]], d[ends_at[1] :]
            shaped = (part.reshape(x.shape) for part, x in zip(parts, plan, strict=True))
            return backward(ops.Plan(*shaped))

        return a.xp.concatenate([x.reshape(-1) for x in plan]), backward_flat

    return relation_hops


def fact_index(a: RandomArrays, N, M, V) -> ops.FactIndex:
    """Draw M facts for each of N entities, with V relations; some are about the entity itself."""
    arrays = M * a.xp.arange(N + 1), a.rng.integers(0, V, N * M), a.rng.integers(0, N, N * M)
    return ops.FactIndex(*(a.xp.asarray(array) for array in arrays))


def asked_entities(a: RandomArrays, N, B):
    """Draw the entities that questions are about."""
    return a.xp.asarray(a.rng.integers(0, N, B))


@operation()
def read_facts(a: RandomArrays, B, N, M, V) -> Case:
    """Read the facts of all entities of a base, with any weights."""
    held = ops.Candidates(N * a.xp.arange(B + 1), a.xp.tile(a.xp.arange(N), B))
    inputs = (fact_index(a, N, M, V), held, probabilities(a, B * N), asked_entities(a, N, B))
    choice, least = (probabilities(a, B, V), probabilities(a, B)), a.xp.zeros(B, a.dtype)
    return Case(partial(ops.read_facts, a.xp), (*inputs, *choice, least), ("least",))


@operation(kernels=("reference", "fused"))
def fact_answers(a: RandomArrays, kernels, B, N, M, V, H) -> Case:
    """Follow chains of facts; all are read, since a bound of the weight is a jump."""
    plan = ops.Plan(*(probabilities(a, *shape) for shape in ((H, B, V), (H, B), (B, H))))
    inputs = (fact_index(a, N, M, V), asked_entities(a, N, B), plan, 0.0)
    return in_form("fact_answers", kernels, a, inputs)


def candidates_and_answers(a: RandomArrays, B, M) -> tuple:
    """Draw M candidates and up to M right answers per question, some of them not in the base."""
    drawn = [a.rng.permutation(M + 1) for _ in range(2 * B)]
    counts = a.rng.integers(1, M + 1, B)
    right = [numpy.where(x[:n] == M, -1, x[:n]) for x, n in zip(drawn[B:], counts, strict=True)]
    entities = numpy.concatenate([x[:M] for x in drawn[:B]])
    starts = numpy.concatenate([[0], numpy.cumsum(counts)])
    candidates = ops.Candidates(M * a.xp.arange(B + 1), a.xp.asarray(entities))
    return candidates, a.xp.asarray(numpy.concatenate(right)), a.xp.asarray(starts)


@operation(kernels=("reference", "fused"))
def answer_set_loss(a: RandomArrays, kernels, B, M) -> Case:
    """Compute the loss of probabilities of candidates."""
    inputs = (probabilities(a, B * M), *candidates_and_answers(a, B, M))
    return in_form("answer_set_loss", kernels, a, inputs)


@operation(logits=tuple(LOGITS))
def softmax_by_question(a: RandomArrays, logits, B, M) -> Case:
    """Normalise the scores of memories of different sizes, some of them empty."""
    starts = numpy.concatenate([[0], numpy.cumsum(a.rng.integers(0, M + 1, B)), [B * M]])
    inputs = (a.logits(logits, B * M), a.xp.asarray(starts))
    return Case(partial(ops.softmax_by_question, a.xp), inputs, scale=1.0)  # one candidate: 1 - 1


@operation()
def answer_set_cross_entropy(a: RandomArrays, B, M) -> Case:
    """Compute the loss of scores of candidates."""
    inputs = (a.normal(B * M), *candidates_and_answers(a, B, M))
    return Case(partial(ops.answer_set_cross_entropy, a.xp), inputs, scale=1.0)


@operation(kernels=("reference", "fused"))
def memory_answers(a: RandomArrays, kernels, B, N, M, V, E, H) -> Case:
    """Answer from one memory of facts per question."""
    index, asked = fact_index(a, N, M, V), asked_entities(a, N, B)
    memories = ops.find_memories(a.xp, index, asked, 2, 2 * M, 2 * M)
    tables = (a.normal(B, E), a.normal(len(memories.present), E, size=E**-0.25))
    tables += (a.normal(V, E, size=E**-0.25), hop_matrices(a, H, E))
    return in_form("memory_answers", kernels, a, (*tables, memories))
