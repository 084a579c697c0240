"""Scores of answers from a knowledge base."""

import numpy

from kvnet.training.fact_scores import scores_of


def scores(weights, entities, answers):
    """Score one question."""
    weights, entities, answers = map(numpy.array, (weights, entities, answers))
    starts = numpy.array([0, len(entities)])
    return scores_of(weights, starts, entities, answers, numpy.array([0, len(answers)]))[:, 0]


def test_the_best_answer_counts_for_hits_at_1():
    assert scores([0.1, 0.9], [3, 4], [4]).tolist() == [1, 1, 1]
    hits1, hits5, f1 = scores([0.1, 0.9], [3, 4], [3])
    assert (hits1, hits5, f1) == (0, 1, 0)


def test_five_answers_count_for_hits_at_5():
    weights = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4]
    assert scores(weights, range(6), [4])[1] == 1
    assert scores(weights, range(6), [5])[1] == 0


def test_f1_compares_the_set_of_answers():
    assert scores([0.9, 0.8, 0.1], [1, 2, 3], [1, 2])[2] == 1
    assert scores([0.9, 0.8, 0.1], [1, 2, 3], [1])[2] == 2 / 3  # one too many
    assert scores([0.9, 0.1, 0.1], [1, 2, 3], [1, 2])[2] == 2 / 3  # one too few
    assert scores([0.9], [1], [1, -1])[2] == 2 / 3  # one that the base lacks


def test_the_first_of_equal_candidates_is_the_best():
    assert scores([0.5, 0.5], [1, 2], [1])[0] == 1
    assert scores([0.5, 0.5], [1, 2], [2])[0] == 0


def test_a_question_without_candidates_is_wrong():
    weights, entities = numpy.array([0.5]), numpy.array([3])
    starts, answers = numpy.array([0, 0, 1]), numpy.array([3, 3])
    found = scores_of(weights, starts, entities, answers, numpy.array([0, 1, 2]))
    assert found.T.tolist() == [[0, 0, 0], [1, 1, 1]]
