"""Published results for comparison: accuracies on bAbI, perplexities on Penn Treebank."""

from typing import NamedTuple

# A row has tasks 1 to 20.
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

METAQA_HITS = {"1 hop": 0.962, "2 hops": 0.827, "3 hops": 0.489}
"""Test hits@1 of KV-MemNN on MetaQA, one model per number of hops (Zhang et al. 2018)."""


class Published(NamedTuple):
    """A published result.

    Attributes
    ----------
    label : str
        Its description in a few words.
    accuracy : dict of int to float
        Task number to test accuracy.
    """

    label: str
    accuracy: dict[int, float]

    @classmethod
    def of_row(cls, label: str, row: str) -> "Published":
        """Return a result, given the accuracies of tasks 1, 2, 3, ... as text."""
        return cls(label, dict(enumerate(map(float, row.split()), start=1)))

    @classmethod
    def of_errors(cls, label: str, row: str) -> "Published":
        """Return a result, given the errors of tasks 1, 2, 3, ... in percent, as text."""
        errors = enumerate(map(float, row.split()), start=1)
        return cls(label, {task: 1 - error / 100 for task, error in errors})


def published(model: str, joint: bool, reader: str, training_questions: int) -> Published | None:
    """Return the published table closest to a setting.

    Parameters
    ----------
    model : {"kv", "memn2n"}
    joint : bool
    reader : str
        The sentence reader of the Key-Value Memory Network.
    training_questions : int
        Questions per task, including those held out for validation.

    Returns
    -------
    table : Published or None
        None if there is none: for the simple_gru reader, for single tasks on 10k questions, and for
        MemN2N on 10k questions.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), the tables of its reference TensorFlow code. Sukhbaatar
    et al. 2015 (arXiv 1503.08895), the tables of its Matlab code with 3 hops, position encoding,
    time noise and linear start.
    """
    large = training_questions > 5000
    if model == "memn2n":
        label, row = (
            ("1k joint", MEMN2N_JOINT_1K_ERRORS)
            if joint
            else ("1k single", MEMN2N_SINGLE_1K_ERRORS)
        )
        return None if large else Published.of_errors(f"MemN2N, {label}", row)
    if reader != "bow" or (large and not joint):
        return None
    if not joint:
        return Published.of_row("1k single, 200 epochs", SINGLE_1K)
    label, row = ("10k joint", JOINT_10K) if large else ("1k joint", JOINT_1K)
    return Published.of_row(label, row)
