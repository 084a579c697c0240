"""Gradient checker for any function that returns its own backward pass.

::

    from kvnet.gradcheck import check_gradients

    def square(x):
        return x**2, lambda dy: 2 * x * dy

    check_gradients(square, numpy.array([1.0, 2.0]))

In a test, `assert_gradients` has the shorter traceback. `from_torch` and `from_jax` wrap functions
of PyTorch and JAX. Only NumPy is imported.

``python -m kvnet.gradcheck`` checks every operation and model of kvnet.
"""

from kvnet.gradcheck.assertion import assert_gradients
from kvnet.gradcheck.check_gradients import METHODS, check_gradients
from kvnet.gradcheck.frameworks import from_jax, from_torch
from kvnet.gradcheck.gradient_error import ComplexStepError, GradientError
from kvnet.gradcheck.kinks import Kink
from kvnet.gradcheck.report import CheckedInput, Report

__all__ = [
    "METHODS",
    "CheckedInput",
    "ComplexStepError",
    "GradientError",
    "Kink",
    "Report",
    "assert_gradients",
    "check_gradients",
    "from_jax",
    "from_torch",
]

if __name__ != "kvnet.gradcheck":  # in a checkout this folder is importable as ``gradcheck`` too
    from kvnet.gradcheck.checkout_name import use_package

    use_package()
