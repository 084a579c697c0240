"""Gradient checker for any function that returns its own backward pass.

::

    from kvnet.gradcheck import check_gradients

    def square(x):
        return x**2, lambda dy: 2 * x * dy

    check_gradients(square, numpy.array([1.0, 2.0]))

``python -m kvnet.gradcheck`` checks every operation and model of kvnet.
"""

from kvnet.gradcheck.check_gradients import METHODS, check_gradients
from kvnet.gradcheck.gradient_error import GradientError
from kvnet.gradcheck.kinks import Kink
from kvnet.gradcheck.report import CheckedInput, Report

__all__ = ["METHODS", "CheckedInput", "GradientError", "Kink", "Report", "check_gradients"]

if __name__ != "kvnet.gradcheck":  # in a checkout this folder is importable as ``gradcheck`` too
    from kvnet.gradcheck.checkout_name import use_package

    use_package()
