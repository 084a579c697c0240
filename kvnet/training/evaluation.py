"""Accuracy of a model on a data set."""

import numpy

from kvnet.backend import to_numpy
from kvnet.data.dataset import Dataset
from kvnet.models.network import Network
from kvnet.training.prediction import predict_words


def accuracy_by_task(model: Network, dataset: Dataset, tasks: numpy.ndarray) -> dict[int, float]:
    """Return the share of correct answers for each task.

    Parameters
    ----------
    model : KeyValueMemoryNetwork or MemN2N
    dataset : Dataset
    tasks : (N,) integer array
        The task of each question.

    Returns
    -------
    accuracy : dict of int to float
        Task number to a share in [0, 1].
    """
    right = to_numpy(predict_words(model, dataset) == dataset.answers)
    return {int(task): float(right[tasks == task].mean()) for task in numpy.unique(tasks)}
