"""Accuracy of a model on a data set."""

import numpy

from kvnet.backend import to_numpy
from kvnet.data.dataset import Dataset
from kvnet.models.key_value_memory_network import KeyValueMemoryNetwork


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
    answers = model.operations.predict_words(model, dataset)
    right = to_numpy(answers == dataset.answers)
    return {int(task): float(right[tasks == task].mean()) for task in numpy.unique(tasks)}
