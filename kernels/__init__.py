"""Fused forms of operations, each a drop-in for the textbook one of the same name."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace

import numpy
from threadpoolctl import threadpool_limits

from kvnet import counter_random, operations
from kvnet.errors import InputError
from kvnet.training.noisy_adam import noisy_adam as textbook_noisy_adam
from kvnet.training.sgd import sgd as textbook_sgd

CHOICES = ("reference", "fused", "auto")


def choose(kernels: str, xp: ModuleType) -> SimpleNamespace:
    """Return the operations that a model and its optimiser are to call.

    Parameters
    ----------
    kernels : {"reference", "fused", "auto"}
        ``auto`` takes the fused ones where they run, that is on NumPy.
    xp : module
        Array module.

    Returns
    -------
    operations : namespace
        Every operation by its name.

    Raises
    ------
    InputError
        If the choice is none of the three, or there are no fused kernels for the backend.
    """
    if kernels not in CHOICES:
        raise InputError(f"kernels={kernels!r} is unknown; it takes {', '.join(CHOICES)}")
    textbook = {name: getattr(operations, name) for name in operations.__all__}
    textbook |= {
        "uniform": counter_random.uniform,
        "noisy_adam": textbook_noisy_adam,
        "sgd": textbook_sgd,
    }
    if kernels == "reference" or (kernels == "auto" and xp is not numpy):
        return SimpleNamespace(**textbook)
    if xp is not numpy:
        raise InputError("kernels='fused' runs on NumPy alone; take --kernels auto with CuPy")
    # Numba takes a second to import; the reference does without it.
    from kvnet.kernels.answer_loss import answer_loss
    from kvnet.kernels.context_read import context_read
    from kvnet.kernels.embedding_sum import embedding_sum
    from kvnet.kernels.gru_reading import gru_reading
    from kvnet.kernels.noisy_adam import noisy_adam
    from kvnet.kernels.read_slots import read_slots
    from kvnet.kernels.sgd import sgd
    from kvnet.kernels.uniform import uniform
    from kvnet.kernels.word_cross_entropy import word_cross_entropy

    fused = (
        answer_loss,
        context_read,
        embedding_sum,
        gru_reading,
        noisy_adam,
        read_slots,
        sgd,
        uniform,
        word_cross_entropy,
    )
    return SimpleNamespace(**textbook | {f.__name__: f for f in fused})


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
