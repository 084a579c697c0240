"""The answers to all questions of a data set."""

from collections.abc import Callable

import numpy

from kvnet.data.dataset import Dataset
from kvnet.kernels import whole_kernel
from kvnet.models.network import Network
from kvnet.training.bow import bow_model, is_bow, questions_of

QUESTIONS_AT_A_TIME = 1000


def map_batches(function: Callable, dataset: Dataset) -> list:
    """Apply a function to consecutive batches of a data set.

    Parameters
    ----------
    function : callable
        Takes a Batch.
    dataset : Dataset

    Returns
    -------
    results : list
        In the order of the batches.
    """
    parts = [
        slice(n, min(n + QUESTIONS_AT_A_TIME, len(dataset)))
        for n in range(0, len(dataset), QUESTIONS_AT_A_TIME)
    ]
    if dataset.xp is numpy:
        batches = (dataset.batch(numpy.arange(part.start, part.stop)) for part in parts)
    else:  # renumbering would synchronise, and reading all sentences is cheap there
        batches = map(dataset.batch_without_renumbering, parts)
    return [function(batch) for batch in batches]


def predict_words(model: Network, dataset: Dataset):
    """Answer every question of a data set with the most probable word.

    The bow reader's fused kernel answers all questions in one call where it can be used.

    Parameters
    ----------
    model : KeyValueMemoryNetwork or MemN2N
    dataset : Dataset
        Its answers are not used.

    Returns
    -------
    words : (N,) int64 array
        Word ids; the lowest of those with the same score.
    """
    kernel = whole_kernel("bow_answers", model.kernels, model.xp) if is_bow(model) else None
    if kernel:
        bow, questions = bow_model(model), questions_of(dataset)
        if kernel.serves(bow, questions):
            return kernel.answer(bow, questions)
    return model.xp.concatenate(map_batches(model.predict, dataset))
