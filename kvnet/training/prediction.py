"""Answers to all questions of a data set."""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # a data set is made of batches, which a model defines, which takes its kernels
    from kvnet.data.dataset import Dataset

QUESTIONS_AT_A_TIME = 1000


def map_batches(function: Callable, dataset: "Dataset") -> list:
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


def predict_words(model, dataset: "Dataset"):
    """Answer every question of a data set with the most probable word.

    Parameters
    ----------
    model : KeyValueMemoryNetwork or MemN2N
    dataset : Dataset
        Its answers are not looked at.

    Returns
    -------
    words : (N,) int64 array
        Word ids; the lowest where several are equally probable.
    """
    return model.xp.concatenate(map_batches(model.predict, dataset))
