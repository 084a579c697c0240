"""Published results, to print beside our own: accuracies on bAbI, perplexities on Penn Treebank."""

from typing import NamedTuple

JOINT_1K = (
    "1.00 0.80 0.66 0.73 0.84 0.98 0.83 0.89 0.98 0.85 0.97 0.99 0.99 0.80 0.56 0.46 0.57 0.93 "
    "0.10 0.98"
)
JOINT_10K = (
    "1.00 0.84 0.71 1.00 0.94 1.00 0.94 0.98 1.00 0.99 1.00 1.00 1.00 0.99 1.00 0.48 0.61 0.91 "
    "0.10 1.00"
)
SINGLE_1K = (
    "1.00 0.35 0.27 1.00 0.79 0.85 0.78 0.89 0.81 0.81 0.86 1.00 0.90 0.91 1.00 0.43 0.53 0.90 "
    "0.12 1.00"
)

MEMN2N_JOINT_1K_ERRORS = (
    "0.0 13.1 23.4 5.9 12.9 3.7 22.9 9.1 2.7 7.2 0.8 0.1 0.1 4.2 0.0 1.2 43.6 10.5 86.7 0.0"
)
MEMN2N_SINGLE_1K_ERRORS = (
    "0.1 8.2 41.8 4.4 13.7 7.9 20.3 11.7 13.6 9.7 0.7 0.0 0.3 0.9 0.0 0.4 51.0 10.5 81.4 0.0"
)
PENN_TREEBANK = (
    ("MemN2N, 3 hops, memory 100", 129, 122),
    ("MemN2N, 6 hops, memory 100", 122, 115),
    ("MemN2N, 6 hops, memory 150", 121, 114),
    ("MemN2N, 7 hops, memory 200", 118, 111),
    ("MemN2N, 3 hops, memory 100, TensorFlow code", None, 129),
    ("LSTM", 120, 115),
    ("RNN", 133, 129),
)
"""Validation and test perplexity with 150 components (Sukhbaatar et al. 2015, arXiv 1503.08895)."""


class Published(NamedTuple):
    """A published result.

    Attributes
    ----------
    label : str
        Which one, in a few words.
    accuracy : dict of int to float
        Task number to test accuracy.
    """

    label: str
    accuracy: dict[int, float]


def published(joint: bool, reader: str, training_questions: int) -> Published | None:
    """Find the published table nearest to a setting.

    Parameters
    ----------
    joint : bool
    reader : {"bow", "simple_gru"}
    training_questions : int
        Questions a task before validation is held out.

    Returns
    -------
    table : Published or None
        None where none was published for the reader, or for single tasks on 10k questions.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), as the tables of its reference TensorFlow code.
    """
    large = training_questions > 5000
    if reader != "bow" or (large and not joint):
        return None
    label, row = (
        ("10k joint", JOINT_10K)
        if large
        else ("1k joint", JOINT_1K)
        if joint
        else ("1k single, 200 epochs", SINGLE_1K)
    )
    return Published(label, dict(enumerate(map(float, row.split()), start=1)))


def published_memn2n(joint: bool, training_questions: int) -> Published | None:
    """Find the published MemN2N table of a setting: 3 hops, position encoding, noise, linear start.

    Parameters
    ----------
    joint : bool
    training_questions : int
        Questions a task before validation is held out.

    Returns
    -------
    table : Published or None
        None for 10k questions, whose table is not kept here.

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), as their Matlab code's tables.
    """
    if training_questions > 5000:
        return None
    label, row = (
        ("1k joint", MEMN2N_JOINT_1K_ERRORS) if joint else ("1k single", MEMN2N_SINGLE_1K_ERRORS)
    )
    accuracy = {task: 1 - float(error) / 100 for task, error in enumerate(row.split(), start=1)}
    return Published(f"MemN2N, {label}", accuracy)
