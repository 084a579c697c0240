"""Fused forms of operations, each a drop-in for the textbook one of the same name."""

from types import ModuleType, SimpleNamespace

import numpy

from kvnet import counter_random, operations
from kvnet.errors import InputError
from kvnet.training.noisy_adam import noisy_adam as textbook_noisy_adam

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
    textbook |= {"uniform": counter_random.uniform, "noisy_adam": textbook_noisy_adam}
    if kernels == "reference" or (kernels == "auto" and xp is not numpy):
        return SimpleNamespace(**textbook)
    if xp is not numpy:
        raise InputError("kernels='fused' runs on NumPy alone; take --kernels auto with CuPy")
    # Numba takes a second to import; the reference does without it.
    from kvnet.kernels.embedding_sum import embedding_sum
    from kvnet.kernels.noisy_adam import noisy_adam
    from kvnet.kernels.read_slots import read_slots
    from kvnet.kernels.uniform import uniform

    fused = (embedding_sum, noisy_adam, read_slots, uniform)
    return SimpleNamespace(**textbook | {f.__name__: f for f in fused})
