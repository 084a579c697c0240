"""Parameter updates: functions that change parameters in place, given their gradients.

Every function takes the array module first (``xp``: NumPy or CuPy). An update that adds a penalty
to the loss returns the penalty's value.
"""

from kvnet.updates.adagrad import adagrad
from kvnet.updates.adam import adam
from kvnet.updates.as_vector import as_vector
from kvnet.updates.noisy_adam import UpdateRule, noisy_adam
from kvnet.updates.row_gradient import RowGradient
from kvnet.updates.sgd import sgd
from kvnet.updates.spectral_sgd import spectral_sgd

__all__ = [
    "RowGradient",
    "UpdateRule",
    "Updates",
    "adagrad",
    "adam",
    "as_vector",
    "noisy_adam",
    "sgd",
    "spectral_sgd",
]


class Updates:
    """All updates by name, each in its textbook form unless a fused form replaces it.

    Parameters
    ----------
    **fused : callable
        Fused forms, by the name of the update. A fused form takes the same arguments and changes
        the same arrays to the same values up to rounding.
    """

    adagrad = staticmethod(adagrad)
    adam = staticmethod(adam)
    as_vector = staticmethod(as_vector)
    noisy_adam = staticmethod(noisy_adam)
    sgd = staticmethod(sgd)
    spectral_sgd = staticmethod(spectral_sgd)

    def __init__(self, **fused):
        vars(self).update(fused)
