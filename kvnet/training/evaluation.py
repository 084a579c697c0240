"""Accuracy of a model on a data set."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy

from kvnet.backend import to_numpy
from kvnet.data.dataset import Dataset
from kvnet.models.key_value_memory_network import KeyValueMemoryNetwork

QUESTIONS_AT_A_TIME = 200  # fixed, so that no product's shape, and no bit, hangs on the threads


def map_batches(function: Callable, dataset: Dataset, threads: int = 1) -> list:
    """Apply a function to consecutive batches of a data set.

    Parameters
    ----------
    function : callable
        Takes a Batch.
    dataset : Dataset
    threads : int
        Batches at a time; the results are the same for any number.

    Returns
    -------
    results : list
        In the order of the batches.
    """
    starts = range(0, len(dataset), QUESTIONS_AT_A_TIME)

    def work(start):
        return function(dataset.batch(slice(start, start + QUESTIONS_AT_A_TIME)))

    if threads == 1:
        return list(map(work, starts))
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, starts))


def accuracy_by_task(
    model: KeyValueMemoryNetwork, dataset: Dataset, tasks: numpy.ndarray, threads: int = 1
) -> dict[int, float]:
    """Return the share of questions answered right, for each task.

    Parameters
    ----------
    model : KeyValueMemoryNetwork
    dataset : Dataset
    tasks : (N,) integer array
        Each question's task.
    threads : int

    Returns
    -------
    accuracy : dict of int to float
        Task number to a share in [0, 1].
    """
    answers = map_batches(lambda batch: to_numpy(model.predict(batch)), dataset, threads)
    right = numpy.concatenate(answers) == to_numpy(dataset.answers)
    return {int(task): float(right[tasks == task].mean()) for task in numpy.unique(tasks)}
