"""Fused forms of operations, each a drop-in for the textbook one of the same name."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType, SimpleNamespace

import numpy
from threadpoolctl import threadpool_limits

from kvnet import counter_random, operations, parameter_vector, slot_times
from kvnet.errors import InputError
from kvnet.training.adagrad import adagrad as textbook_adagrad
from kvnet.training.noisy_adam import noisy_adam as textbook_noisy_adam
from kvnet.training.prediction import predict_words as textbook_predict_words
from kvnet.training.sgd import sgd as textbook_sgd
from kvnet.training.spectral_sgd import spectral_sgd as textbook_spectral_sgd
from kvnet.training.steps import take_steps as textbook_take_steps
from kvnet.training.steps import take_steps_side_by_side as textbook_take_steps_side_by_side

CHOICES = ("reference", "fused", "auto")
ON_THE_PROCESSOR = (
    "adagrad",
    "adjacent_slots",
    "answer_loss",
    "context_read",
    "embedding_sum",
    "gru_reading",
    "layerwise_slots",
    "noisy_adam",
    "predict_words",
    "read_slots",
    "sgd",
    "take_steps",
    "uniform",
    "word_cross_entropy",
)
ON_A_GPU = (
    "adagrad",
    "adjacent_slots",
    "answer_loss",
    "as_vector",
    "context_read",
    "dropout",
    "embedding_sum",
    "gru_reading",
    "l2_penalty",
    "layerwise_slots",
    "noisy_adam",
    "predict_words",
    "read_slots",
    "sgd",
    "slots_with_times",
    "spectral_sgd",
    "take_steps_side_by_side",
    "uniform",
    "word_cross_entropy",
)


def choose(kernels: str, xp: ModuleType) -> SimpleNamespace:
    """Return the operations that a model and its optimiser are to call.

    Parameters
    ----------
    kernels : {"reference", "fused", "auto"}
        ``auto`` takes the fused ones where they run: compiled by Numba on NumPy, by CUDA's own
        compiler on CuPy.
    xp : module
        Array module.

    Returns
    -------
    operations : namespace
        Every operation by its name.

    Raises
    ------
    InputError
        If the choice is none of the three, or there are no fused kernels for the array module.
    """
    if kernels not in CHOICES:
        raise InputError(f"kernels={kernels!r} is unknown; it takes {', '.join(CHOICES)}")
    textbook = {name: getattr(operations, name) for name in operations.__all__}
    textbook |= {
        "adagrad": textbook_adagrad,
        "as_vector": parameter_vector.as_vector,
        "noisy_adam": textbook_noisy_adam,
        "predict_words": textbook_predict_words,
        "sgd": textbook_sgd,
        "slots_with_times": slot_times.slots_with_times,
        "spectral_sgd": textbook_spectral_sgd,
        "take_steps": textbook_take_steps,
        "take_steps_side_by_side": textbook_take_steps_side_by_side,
        "uniform": counter_random.uniform,
    }
    on_processor = xp is numpy
    has_fused = on_processor or hasattr(xp, "RawModule")
    if kernels == "reference" or (kernels == "auto" and not has_fused):
        return SimpleNamespace(**textbook)
    if not has_fused:
        raise InputError(f"kernels='fused' does not run on {xp.__name__}; take --kernels auto")
    # Numba takes a second to import; the reference does without it.
    package, names = (
        ("kvnet.kernels", ON_THE_PROCESSOR) if on_processor else ("kvnet.kernels.cuda", ON_A_GPU)
    )
    fused = {name: getattr(import_module(f"{package}.{name}"), name) for name in names}
    return SimpleNamespace(**textbook | fused)


@contextmanager
def kernel_threads(count: int) -> Iterator[None]:
    """Let kernels run on some threads, with the same results for any number, and products on one.

    A product that BLAS splits over several threads may round otherwise.

    Parameters
    ----------
    count : int
        At most as many as there are cores are taken.
    """
    import numba
    import scipy.linalg.cython_blas  # noqa: F401  (the kernels' BLAS: the limit must find it)

    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpool_limits(1, user_api="blas"):
            yield
    finally:
        numba.set_num_threads(before)
