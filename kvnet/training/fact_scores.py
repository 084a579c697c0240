"""Scores of a model that answers from a knowledge base."""

from typing import NamedTuple

import numpy

from kvnet.backend import to_numpy
from kvnet.data.fact_data import FactDataset
from kvnet.models.fact_network import FactNetwork

QUESTIONS_AT_A_TIME = 500
SET_SHARE = 0.5
"""Candidates with at least this share of the best one's probability are the set of answers."""
SPACING = 1 << 32  # of questions in keys; more than entities


class FactScores(NamedTuple):
    """The scores of each question.

    Attributes
    ----------
    hits1, hits5 : (Q,) float array
        1 if the best answer, or one of the best five, is right; otherwise 0.
    f1 : (Q,) float array
        The harmonic mean of the precision and the recall of the set of answers: the candidates that
        have at least half of the best one's probability.
    """

    hits1: numpy.ndarray
    hits5: numpy.ndarray
    f1: numpy.ndarray


def fact_scores(model: FactNetwork, dataset: FactDataset) -> FactScores:
    """Score the answers to all questions.

    Parameters
    ----------
    model : FactNetwork
    dataset : FactDataset
        A question about no entity of the base scores 0.

    Returns
    -------
    scores : FactScores
    """
    scores = numpy.zeros((3, len(dataset)))
    asked = numpy.flatnonzero(dataset.questions.entities >= 0)
    for first in range(0, len(asked), QUESTIONS_AT_A_TIME):
        rows = asked[first : first + QUESTIONS_AT_A_TIME]
        batch = dataset.batch(rows)
        weights, candidates = model.forward(batch)
        scores[:, rows] = scores_of(
            to_numpy(weights),
            *map(to_numpy, candidates),
            to_numpy(batch.answers),
            to_numpy(batch.answer_starts),
        )
    return FactScores(*scores)


def facts_cut(model: FactNetwork, dataset: FactDataset) -> numpy.ndarray:
    """Return the number of facts that each question's memory has no room for.

    Parameters
    ----------
    model : FactNetwork
    dataset : FactDataset

    Returns
    -------
    cut : (Q,) int64 array
        0 for all questions of a model whose memory has no limit.
    """
    cut = numpy.zeros(len(dataset), "int64")
    asked = numpy.flatnonzero(dataset.questions.entities >= 0)
    for first in range(0, len(asked), QUESTIONS_AT_A_TIME):
        rows = asked[first : first + QUESTIONS_AT_A_TIME]
        cut[rows] = to_numpy(model.facts_cut(dataset.batch(rows)))
    return cut


def scores_of(weights, starts, entities, answers, answer_starts) -> numpy.ndarray:
    """Return hits@1, hits@5 and F1 of some questions.

    Parameters
    ----------
    weights : (n,) float array
    starts, entities
        The fields of `Candidates`.
    answers : (A,) integer array
        Negative: no entity.
    answer_starts : (B + 1,) integer array

    Returns
    -------
    scores : (3, B) float array
    """
    B = len(starts) - 1
    questions = numpy.repeat(numpy.arange(B), numpy.diff(starts))
    of_answer = numpy.repeat(numpy.arange(B), numpy.diff(answer_starts))
    known = answers >= 0
    right = numpy.isin(questions * SPACING + entities, of_answer[known] * SPACING + answers[known])
    order = numpy.lexsort((-weights, questions))  # stable: the first of equal ones is the best
    ranks = numpy.arange(len(order)) - starts[:-1][questions]
    weights, right = weights[order], right[order]  # the questions stay in order
    best = numpy.zeros(B, weights.dtype)
    best[questions[ranks == 0]] = weights[ranks == 0]
    in_set = (weights >= SET_SHARE * best[questions]) & (weights > 0)

    def count(chosen):
        return numpy.bincount(questions[chosen], minlength=B)

    found = count(right & in_set)
    sizes = count(in_set) + numpy.diff(answer_starts)
    hits1, hits5 = (count(right & (ranks < k)) > 0 for k in (1, 5))
    return numpy.stack([hits1, hits5, 2 * found / numpy.maximum(sizes, 1)])
