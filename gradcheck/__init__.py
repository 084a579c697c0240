"""Gradient verification: hand-written gradients against finite differences."""

from kvnet.gradcheck.central_differences import gradient_errors, numerical_gradient

__all__ = ["gradient_errors", "numerical_gradient"]
