"""gradcheck: proves the gradients of any function that returns its own backward pass.

::

    from kvnet.gradcheck import check_gradients

    def square(x):
        return x**2, lambda dy: 2 * x * dy

    check_gradients(square, numpy.array([1.0, 2.0]))

``python -m kvnet.gradcheck`` checks every operation and model of kvnet.
"""

from .check_gradients import METHODS, check_gradients
from .gradient_error import GradientError
from .kinks import Kink
from .report import CheckedInput, Report

__all__ = ["METHODS", "CheckedInput", "GradientError", "Kink", "Report", "check_gradients"]
