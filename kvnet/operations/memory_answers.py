"""Answers from one memory of facts per question."""

from kvnet.operations.facts import Candidates
from kvnet.operations.in_order_of_appearance import in_order_of_appearance
from kvnet.operations.linear import linear
from kvnet.operations.memory_hops import memory_hops
from kvnet.operations.take_rows import take_rows


def memory_answers(xp, query, entities, relations, R, memories):
    """Hop over each question's memory of facts, and score the values in it.

    A slot of the fact (s, r, o) has the key ``E[s] + K[r]`` and the value ``E[o]``. From
    ``u = q + E[asked]`` on, `memory_hops` leads to ``u_H``; the score of a candidate y is
    ``u_H · E[y]``.

    Parameters
    ----------
    xp : module
        Array module.
    query : (B, D) float array
        q, the readings of the questions' words.
    entities : (P, D) float array
        E, the embeddings of the entities in the memories.
    relations : (N, D) float array
        K.
    R : (H, D, D) float array
        R_1..R_H.
    memories : FactMemories

    Returns
    -------
    scores : (n,) float array
    candidates : Candidates
        The different values of each memory, as positions in `entities`, in the order of the slots.
    attention : (H, m) float array
        The weight of each slot in each hop.
    backward : callable
        ``d_scores (n,) -> d_query (B, D), d_entities (P, D), d_relations (N, D), dR (H, D, D)``

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3, with the values of the memory as the possible
    answers.
    """
    scores, found, attention, backward_questions = [], [], [], []
    for b in range(len(query)):
        slots = slice(int(memories.starts[b]), int(memories.starts[b + 1]))
        values = memories.values[slots]
        firsts, _ = in_order_of_appearance(xp, values)
        rows = memories.asked[b : b + 1], memories.keys[slots], values, values[firsts]
        of_question, p, backward_question = _answers_of_one(
            xp, query[b : b + 1], entities, relations, R, *rows, memories.relations[slots]
        )
        scores.append(of_question)
        found.append(values[firsts])
        attention.append(p)
        backward_questions.append(backward_question)
    sizes = xp.asarray([0, *map(len, found)])
    candidates = Candidates(xp.cumsum(sizes), xp.concatenate(found))

    def backward(d_scores):
        d_query, dR = xp.zeros_like(query), xp.zeros_like(R)
        d_entities, d_relations = xp.zeros_like(entities), xp.zeros_like(relations)
        for b, backward_question in enumerate(backward_questions):
            mine = slice(int(candidates.starts[b]), int(candidates.starts[b + 1]))
            du, *d_tables, dR_b = backward_question(d_scores[mine])
            d_query[b] = du[0]
            d_entities += d_tables[0]
            d_relations += d_tables[1]
            dR += dR_b
        return d_query, d_entities, d_relations, dR

    return xp.concatenate(scores), candidates, xp.concatenate(attention, axis=1), backward


def _answers_of_one(xp, query, entities, relations, R, asked, subjects, objects, options, chosen):
    """Score the candidates of one question: with a batch of one, nothing is padded."""
    if not len(objects):  # an entity without facts
        nothing = xp.zeros((len(R), 0), query.dtype)
        zeros = [xp.zeros_like(x) for x in (query, entities, relations, R)]
        return nothing[0], nothing, lambda d_scores: zeros
    start, backward_asked = take_rows(xp, entities, asked)
    key_entities, backward_subjects = take_rows(xp, entities, subjects[None])  # (1, M, D)
    key_relations, backward_chosen = take_rows(xp, relations, chosen[None])
    values, backward_objects = take_rows(xp, entities, objects[None])
    u, p, backward_hops = memory_hops(xp, query + start, key_entities + key_relations, values, R)
    embeddings, backward_options = take_rows(xp, entities, options)
    scores, backward_scores = linear(xp, u, embeddings)  # (1, n)

    def backward(d_scores):
        du, d_embeddings = backward_scores(d_scores[None])
        du, d_keys, d_values, dR = backward_hops(du)
        d_entities = backward_asked(du) + backward_subjects(d_keys)
        d_entities = d_entities + backward_objects(d_values) + backward_options(d_embeddings)
        return du, d_entities, backward_chosen(d_keys), dR

    return scores[0], p[:, 0], backward
