"""Accuracy of a model on a data set."""

from collections.abc import Callable

import numpy

from kvnet.backend import to_numpy
from kvnet.data.dataset import Dataset
from kvnet.models.key_value_memory_network import KeyValueMemoryNetwork

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
    starts = range(0, len(dataset), QUESTIONS_AT_A_TIME)
    return [function(dataset.batch(slice(n, n + QUESTIONS_AT_A_TIME))) for n in starts]


def accuracy_by_task(
    model: KeyValueMemoryNetwork, dataset: Dataset, tasks: numpy.ndarray
) -> dict[int, float]:
    """Return the share of questions answered right, for each task.

    Parameters
    ----------
    model : KeyValueMemoryNetwork
    dataset : Dataset
    tasks : (N,) integer array
        Each question's task.

    Returns
    -------
    accuracy : dict of int to float
        Task number to a share in [0, 1].
    """
    answers = map_batches(lambda batch: to_numpy(model.predict(batch)), dataset)
    right = numpy.concatenate(answers) == to_numpy(dataset.answers)
    return {int(task): float(right[tasks == task].mean()) for task in numpy.unique(tasks)}
