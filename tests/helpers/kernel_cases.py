"""Cases of gradcheck's operations in sizes that make several blocks, and bits to compare."""

from functools import partial

import numpy

from kvnet.backend import to_numpy
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.kernels import choose_operations, fused_names, kernel_threads

MEMORY = {"B": 60, "M": 7, "N": 40, "E": 8, "F": 9, "H": 3}
SLOTS = {"B": 20, "M": 30, "N": 12, "E": 70, "H": 3}
FACTS = {"B": 40, "N": 30, "M": 4, "V": 5, "H": 3}
SEVERAL_BLOCKS = {
    "adjacent_hops_by_row": SLOTS,
    "answer_loss": MEMORY | {"V": 300},
    "answer_set_loss": {"B": 40, "M": 9},
    "context_hops_by_row": SLOTS | {"E": 170, "H": 5, "linear_size": 80},
    "embedding_sum": {"V": 300, "N": 450, "S": 5, "E": 8},
    "fact_answers": FACTS,
    "gru_reading": {"V": 300, "N": 120, "S": 5, "E": 8, "F": 9},
    "key_value_hops_by_row": MEMORY,
    "layerwise_hops_by_row": SLOTS,
    "memory_answers": FACTS | {"E": 9},
    "relation_hops": {"B": 80, "N": 9, "E": 10, "H": 3},
    "take_rows": {"B": 40, "M": 9, "N": 30, "E": 10},
    "word_cross_entropy": {"B": 20, "V": 2500, "E": 8},
}
PUBLISHED = {
    "adjacent_hops_by_row": {"B": 32, "M": 50, "N": 400, "E": 50, "H": 3},
    "answer_loss": {"B": 50, "M": 50, "N": 100, "V": 180, "E": 40, "F": 50, "H": 3},
    "context_hops_by_row": {"B": 32, "M": 100, "N": 500, "E": 150, "H": 6, "linear_size": 75},
    "gru_reading": {"V": 180, "N": 150, "S": 12, "E": 40, "F": 50},
}
COMPARED = sorted(set(fused_names("numpy")) & set(OPERATIONS))


def fused_case(name, dtype, sizes):
    """Return a fused operation's case: the simplest one, except for its sizes."""
    subject = OPERATIONS[name]
    simplest = {option: values[0] for option, values in subject.options().items()}
    variant = subject.combinations()[0] | {"kernels": "fused"}
    return subject.case(numpy, dtype, variant | simplest | sizes | {"seed": 1})


def fused_operation(name):
    return partial(getattr(choose_operations("fused", numpy), name), numpy)


def flat(values):
    """Return the arrays in nested tuples and lists."""
    if isinstance(values, tuple | list):
        return [array for value in values for array in flat(value)]
    return [] if values is None else [to_numpy(values)]


def bits_on_threads(compute, count):
    """Return the bytes of the arrays that a function returns, run on some threads."""
    with kernel_threads(count):
        return [array.tobytes() for array in flat(compute())]
