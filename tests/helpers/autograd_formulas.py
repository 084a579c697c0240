"""Independent formulas of the operations and models, which HIPS autograd differentiates.

They share no operation with kvnet: the derivatives come from autograd's tape, and shapes are
explicit in einsum instead of being broadcast.
"""

from itertools import pairwise

import autograd.numpy as np
import numpy
from autograd import grad

from kvnet.gradcheck.checked_models import MODELS, STEP
from kvnet.gradcheck.differentiable_function import DifferentiableFunction
from kvnet.gradcheck.nested_arrays import with_leaves
from kvnet.operations import Candidates, FactIndex, GruWeights
from kvnet.operations.find_memories import find_memories
from kvnet.operations.slots_with_times import slots_with_times
from kvnet.operations.uniform import uniform


def embedding_lookup(words, table):
    return table[words] * (words != 0)[..., None]


def embedding_sum(words, table, encoding):
    return np.einsum("nse,se,ns->ne", table[words], encoding, (words != 0) * 1.0)


def linear(x, matrix):
    return np.einsum("...d,fd->...f", x, matrix)


def matrix_product(x, matrix):
    return np.einsum("bf,fe->be", x, matrix)


def take_rows(table, indices):
    return np.einsum("bmu,ud->bmd", indices[..., None] == np.arange(len(table)), table)


def softmax(scores, allowed=None):
    part = np.ones(scores.shape) if allowed is None else allowed * 1.0
    weights = np.exp(scores) * part
    totals = np.sum(weights, axis=-1, keepdims=True)
    return weights / (totals + (totals == 0))


def address(u, keys, values, allowed=None, with_softmax=True):
    p = np.einsum("bf,bmf->bm", u, keys)
    p = softmax(p, allowed) if with_softmax else p
    return np.einsum("bm,bmf->bf", p, values)


def hop(u, o, matrix):
    return np.einsum("bg,fg->bf", u + o, matrix)


def key_value_hops(query, keys, values, A, R, allowed=None):
    u = linear(query, A)
    for h in range(len(R)):
        u = hop(u, address(u, linear(keys, A), linear(values, A), allowed), R[h])
    return u


def fill_slots(readings, rows, temporal):
    return take_rows(readings, rows) + temporal


def key_value_hops_by_row(query, memory, A, R):
    readings, TK, TV, key_rows, value_rows, allowed = memory
    keys, values = fill_slots(readings, key_rows, TK), fill_slots(readings, value_rows, TV)
    return key_value_hops(query, keys, values, A, R, allowed)


def partial_relu(x, linear_size):
    return np.where((np.arange(x.shape[1]) < linear_size) | (x > 0), x, 0)


def layerwise_hops(u, keys, values, matrix, hops, linear_size, with_softmax=True):
    for _ in range(hops):
        o = address(u, keys, values, with_softmax=with_softmax)
        u = partial_relu(np.einsum("be,ef->bf", u, matrix) + o, linear_size)
    return u


def adjacent_hops(u, memories, with_softmax):
    for h in range(len(memories) - 1):
        u = u + address(u, memories[h], memories[h + 1], with_softmax=with_softmax)
    return u


def sum_slots(readings, rows):
    one_hot = (rows[..., None] == np.arange(len(readings))) * (rows != 0)[..., None]
    return np.einsum("bmku,ue->bme", one_hot * 1.0, readings)


def adjacent_hops_by_row(u, readings, rows, with_softmax):
    return adjacent_hops(u, [sum_slots(r, rows) for r in readings], with_softmax)


def layerwise_hops_by_row(u, key_readings, value_readings, matrix, rows, hops, with_softmax):
    keys, values = sum_slots(key_readings, rows), sum_slots(value_readings, rows)
    return layerwise_hops(u, keys, values, matrix, hops, u.shape[1], with_softmax)


def context_hops_by_row(u, memory, matrix, hops, linear_size):
    key_readings, value_readings, TK, TV, rows = memory
    keys, values = fill_slots(key_readings, rows, TK), fill_slots(value_readings, rows, TV)
    return layerwise_hops(u, keys, values, matrix, hops, linear_size)


def gru(x, weights):
    gate_weights, gate_bias, candidate_weights, candidate_bias = weights
    E, F = x.shape[2], len(candidate_bias)
    h = np.zeros((len(x), F))
    for s in range(x.shape[1]):
        word = x[:, s]
        gates = word @ gate_weights[:E] + h @ gate_weights[E:] + gate_bias
        r, z = 1 / (1 + np.exp(-gates[:, :F])), 1 / (1 + np.exp(-gates[:, F:]))
        c = np.tanh(word @ candidate_weights[:E] + (r * h) @ candidate_weights[E:] + candidate_bias)
        h = z * h + (1 - z) * c
    return h


def gru_reading(words, table, weights):
    return gru(embedding_lookup(words, table), weights)


def dropout(x, uniforms, keep_prob):
    return np.where(uniforms < keep_prob, x / keep_prob, 0)


def word_scores(h, table, nil=True):
    return np.einsum("be,ve,v->bv", h, table, np.arange(len(table)) >= nil)


def cross_entropy(logits, answers):
    return -np.sum(np.log(softmax(logits)[np.arange(len(answers)), answers]))


def word_cross_entropy(h, table, answers, nil=True):
    return cross_entropy(word_scores(h, table, nil), answers)


def answer_loss(query, memory, A, R, output_map, table, answers):
    u = key_value_hops_by_row(query, memory, A, R)
    return word_cross_entropy(matrix_product(u, output_map), table, answers)


def l2_penalty(theta, l2_lambda):
    return np.sum(theta**2) * l2_lambda / 2


def memory_hops(u, keys, values, R, allowed=None):
    for h in range(len(R)):
        u = hop(u, address(u, keys, values, allowed), R[h])
    return u


def sigmoid(x):
    return np.exp(np.minimum(x, 0)) / (np.exp(np.minimum(x, 0)) + np.exp(-np.maximum(x, 0)))


BELIEF = 0.9999


def noisy_or(p, groups, size):
    return 1 - np.array([np.prod(1 - BELIEF * p[groups == k]) for k in range(size)])


def relation_plan(query, relations, R, gates, ends):
    """Return the relations, the drops and the hops of a plan."""
    u, chosen, drops = query, [], []
    for h in range(len(R)):
        chosen.append(softmax(u @ relations.T))
        drops.append(sigmoid(u @ gates[h]))
        u = (u + chosen[-1] @ relations) @ R[h].T
    return np.stack(chosen), np.stack(drops), softmax(u @ ends.T)


def relation_hops(query, relations, R, gates, ends):
    plan = relation_plan(query, relations, R, gates, ends)
    return np.concatenate([part.reshape(-1) for part in plan])


def edges_of(index):
    """List the facts as (subject, relation, object)."""
    starts, relations, entities = index
    return [
        (s, relations[k], entities[k])
        for s in range(len(starts) - 1)
        for k in range(starts[s], starts[s + 1])
    ]


def read_one(index, e, asked, rho, drop):
    """Return the weight of every entity after a hop, given that of every entity before it."""
    facts = edges_of(index)
    doubts = [
        np.prod(np.array([1 - BELIEF * e[s] * rho[r] for s, r, o in facts if o == entity] or [1.0]))
        for entity in range(len(index.starts) - 1)
    ]
    factor = 1 - drop * (np.arange(len(doubts)) == asked)
    return (1 - np.array(doubts)) * factor


def read_in_order(index, held):
    """Return the entities that the facts of others lead to, each once, in order."""
    return list(dict.fromkeys(o for e in held for s, _, o in edges_of(index) if s == e))


def read_facts(index, held, weights, asked, relations, drops, least):
    found = []
    for b in range(len(drops)):
        mine = slice(held.starts[b], held.starts[b + 1])
        order = read_in_order(index, held.entities[mine])
        e = read_one(index, weights[mine], asked[b], relations[b], drops[b])
        found.append(e[np.array(order)])
    return np.concatenate(found)


def fact_answers(index, asked, plan, least):
    relations, drops, hops = plan
    found = []
    for b in range(len(asked)):
        e, held, order, a = (np.arange(len(index.starts) - 1) == asked[b]) * 1.0, [asked[b]], {}, 0
        for h in range(len(drops)):
            e = read_one(index, e, asked[b], relations[h, b], drops[h, b])
            held = read_in_order(index, held)
            order |= dict.fromkeys(held)
            a = a + hops[b, h] * e
        found.append(a[np.array(list(order))])
    return np.concatenate(found)


def answer_set_loss(weights, candidates, right, right_starts):
    loss = 0
    for b in range(len(right_starts) - 1):
        answers = right[right_starts[b] : right_starts[b + 1]].tolist()
        mine = range(candidates.starts[b], candidates.starts[b + 1])
        reached = {candidates.entities[i]: weights[i] for i in mine}
        for entity, p in reached.items():
            term = np.log(p + 1e-6) if entity in answers else np.log(1 - BELIEF * p)
            loss = loss - term / len(answers)
        loss = loss - sum(x not in reached for x in answers) * np.log(1e-6) / len(answers)
    return loss


def softmax_by_question(scores, starts):
    parts = [scores[starts[b] : starts[b + 1]] for b in range(len(starts) - 1)]
    return np.concatenate([part - np.log(np.sum(np.exp(part))) for part in parts if len(part)])


def answer_set_cross_entropy(scores, candidates, right, right_starts):
    log_p, loss = softmax_by_question(scores, candidates.starts), 0
    for b in range(len(right_starts) - 1):
        answers = right[right_starts[b] : right_starts[b + 1]]
        mine = slice(candidates.starts[b], candidates.starts[b + 1])
        chosen = np.isin(candidates.entities[mine], answers)
        if chosen.any():
            loss = loss - np.sum(log_p[mine] * chosen) / chosen.sum()
    return loss


def memory_answers(query, entities, relations, R, memories):
    scores = []
    for b in range(len(query)):
        mine = slice(memories.starts[b], memories.starts[b + 1])
        keys = entities[memories.keys[mine]] + relations[memories.relations[mine]]
        u = query[b : b + 1] + entities[memories.asked[b]]
        u = memory_hops(u, keys[None], entities[memories.values[mine]][None], R)
        candidates = np.array(list(dict.fromkeys(memories.values[mine].tolist())))
        scores.append(entities[candidates] @ u[0])
    return np.concatenate(scores)


def bag_of_words(batch, table):
    one_hot = (batch.words[batch.texts][..., None] == np.arange(len(table))) * 1.0
    bags = np.sum(one_hot * (batch.texts != 0)[..., None], axis=1)
    return bags[batch.rows] @ table


def fact_chain_network(model, batch, params):
    """Return the training loss of a network that follows chains of facts."""
    index = FactIndex(*batch.index)
    R = np.stack([params[f"R_{h}"] for h in range(1, model.config.hops + 1)])
    query = bag_of_words(batch, params["W"])
    plan = relation_plan(query, params["K"], R, params["g"], params["C"])
    weights = fact_answers(index, batch.asked, plan, 0)
    order = [reached_in_order(index, entity, model.config.hops) for entity in batch.asked]
    starts = numpy.cumsum([0, *map(len, order)])
    candidates = Candidates(starts, numpy.concatenate(order))
    return answer_set_loss(weights, candidates, batch.answers, batch.answer_starts)


def reached_in_order(index, entity, hops):
    order, held = {}, [entity]
    for _ in range(hops):
        held = read_in_order(index, held)
        order |= dict.fromkeys(held)
    return list(order)


def fact_memory_network(model, batch, params):
    """Return the training loss of a network with one memory of facts per question."""
    index, c = FactIndex(*batch.index), model.config
    memories = find_memories(numpy, index, batch.asked, 2, c.memory_size, c.frequent)
    one_hot = (memories.present[:, None] == np.arange(c.entities)) * 1.0
    R = np.stack([params[f"R_{h}"] for h in range(1, c.hops + 1)])
    query = bag_of_words(batch, params["W"])
    scores = memory_answers(query, one_hot @ params["E"], params["K"], R, memories)
    slots = [slice(*pair) for pair in pairwise(memories.starts)]
    order = [list(dict.fromkeys(memories.values[mine].tolist())) for mine in slots]
    starts = numpy.cumsum([0, *map(len, order)])
    candidates = Candidates(starts, memories.present[numpy.concatenate(order)])
    return answer_set_cross_entropy(scores, candidates, batch.answers, batch.answer_starts)


def key_value_memory_network(model, batch, params):
    """Return the training loss of a Key-Value Memory Network: cross entropy."""
    c = model.config

    def read(words, table, part, uniforms):
        flat = words.reshape(-1, words.shape[-1])
        if c.reader == "bow":
            S, E = flat.shape[1], params[table].shape[1]
            j, e = np.arange(1, S + 1)[:, None], np.arange(1, E + 1)[None]
            readings = embedding_sum(
                flat, params[table], 1 + 4 * (e - E / 2) * (j - S / 2) / (E * S)
            )
        else:
            weights = [params[f"{part}_{field}"] for field in GruWeights._fields]
            readings = gru(embedding_lookup(flat, params[table]), weights)
            readings = dropout(readings, uniforms, c.keep_prob)
        return readings.reshape((*words.shape[:-1], -1))

    def drawn(purpose, count):
        shape = (count, params["A"].shape[1])
        return uniform(np, c.random_state, f"dropout {purpose}", STEP, shape, "float64")

    same = batch.keys is batch.values
    rows = [batch.keys] if same else [batch.keys, batch.values]
    uniforms = np.split(drawn("memory", batch.keys.size * len(rows)), len(rows))
    readings = [
        read(batch.sentences[part], "W_mem", "memory", u)
        for part, u in zip(rows, uniforms, strict=True)
    ]
    keys, values = readings[0], readings[-1]
    allowed = batch.keys != 0 if c.mask_padding else None
    slots = batch.keys.shape[1]
    u = key_value_hops(
        read(batch.query, "W", "query", drawn("query", len(batch.query))),
        keys + params["TK"][:slots],
        values + params["TV"][:slots],
        params["A"],
        [params[f"R_{h}"] for h in range(1, c.hops + 1)],
        allowed,
    )
    return word_cross_entropy(matrix_product(u, params["B"]), params["W_mem"], batch.answer)


def memn2n_language_model(model, context, params):
    """Return the training loss of a MemN2N language model: cross entropy."""
    c, words = model.config, context.words[context.slots]

    def drop(x, name, count, width):
        u = uniform(np, c.random_state, name, STEP, (count, width), "float64")
        spread = u[context.slots] if name == "word_dropout" else u
        return dropout(x, spread, 1 - getattr(c, name))

    u = np.full((len(words), params["C"].shape[0]), c.initial_query)
    A, B = (drop(params[n][words], "word_dropout", len(context.words), 1) for n in "AB")
    keys, values = A + params["TA"], B + params["TB"]
    for _ in range(c.hops):
        d = np.einsum("be,ef->bf", u, params["C"]) + address(u, keys, values)
        u = partial_relu(d, c.linear_size)
    u = drop(u, "dropout", *u.shape)
    return cross_entropy(np.einsum("be,ve->bv", u, params["W"]), context.target)


def memn2n(model, batch, params):
    """Return the training loss of a MemN2N: cross entropy."""
    c = model.config
    V, E, hops = c.vocabulary_size, c.embedding_size, c.hops
    last, noise = c.memory_size - 1, c.time_noise
    slots = slots_with_times(numpy, batch.keys, V, last, noise, c.random_state, STEP)
    times = slots[..., 1]  # token ids of the times

    def read(words, time, table):
        S = words.shape[-1]
        j, k = np.arange(1, S + 2)[:, None], np.arange(1, E + 1)[None]
        if c.encoding == "matlab":
            weights = 1 + 4 * (k - (E + 1) / 2) * (j - (S + 2) / 2) / (E * (S + 1))
            weights = weights * np.ones((*words.shape[:-1], 1, 1))
        else:
            weights = np.ones((*words.shape[:-1], S + 1, E))
        if c.encoding == "paper":
            J = (words != 0).sum(axis=-1)[..., None, None] + 1e-300
            own = (1 - j[:-1] / J) - (k / E) * (1 - 2 * j[:-1] / J)
            weights = np.concatenate([own, weights[..., -1:, :]], axis=-2)
        words_and_time = np.concatenate([words, time[..., None]], axis=-1)
        real = (words_and_time != 0) * 1.0
        return np.einsum("...se,...se,...s->...e", weights, table[words_and_time], real)

    def memory(table):
        return read(batch.sentences[batch.keys], times, table)

    no_time = np.zeros(len(batch.query), int)
    if c.tying == "adjacent":
        tables = [params[f"T_{n}"] for n in range(1, hops + 2)]
        u = read(batch.query, no_time, tables[0])
        u = adjacent_hops(u, [memory(table) for table in tables], model.with_softmax)
        return cross_entropy(word_scores(u, tables[-1]), batch.answer)
    u = read(batch.query, no_time, params["B"])
    u = layerwise_hops(
        u, memory(params["A"]), memory(params["C"]), params["H"].T, hops, E, model.with_softmax
    )
    return cross_entropy(word_scores(u, params["W"]), batch.answer)


def oracle_gradients(case, formula, d_output):
    """Return autograd's gradients of ``sum(d_output * formula)`` for a case.

    Parameters
    ----------
    case : kvnet.gradcheck.cases.Case
    formula : callable
        Takes the case's inputs.
    d_output : array

    Returns
    -------
    gradients : list of array
        One per differentiable leaf.
    """
    wrapped = DifferentiableFunction(case.function, case.inputs, case.constants)

    def loss(arrays):
        leaves = list(wrapped.leaves)
        for leaf_index, array in zip(wrapped.differentiable, arrays, strict=True):
            leaves[leaf_index] = array
        remaining = iter(leaves)
        inputs = [with_leaves(value, remaining) for value in case.inputs]
        return np.sum(d_output * formula(*inputs))

    return grad(loss)([wrapped.leaves[leaf_index] for leaf_index in wrapped.differentiable])


def own_gradients(case, d_output):
    """Return the gradients of ``sum(d_output * output)`` by the function's own backward pass.

    Parameters
    ----------
    case : kvnet.gradcheck.cases.Case
    d_output : array

    Returns
    -------
    gradients : list of array
        One per differentiable leaf.
    """
    wrapped = DifferentiableFunction(case.function, case.inputs, case.constants)
    _, backward = wrapped(wrapped.leaves)
    return wrapped.flat_gradients(backward(d_output))


def formula_of(subject, case):
    """Return the formula of a case of a registered operation or model."""
    formula = globals()[subject.name]
    if subject.name not in MODELS:
        return formula
    bound = case.function.args  # the model and the batch
    return lambda params: formula(*bound, params)
