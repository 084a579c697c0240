"""A check for tests: an assertion with a short traceback."""

from collections.abc import Callable, Mapping, Sequence

from kvnet.gradcheck.check_gradients import check_gradients
from kvnet.gradcheck.gradient_error import ComplexStepError, GradientError


def assert_gradients(
    function: Callable,
    *inputs,
    method: str | None = None,
    constants: Sequence[str] = (),
    scale: float | Mapping[str, float] = 0.0,
    seed: int = 0,
) -> None:
    """Assert that the gradients of a function are correct, in a test.

    Parameters
    ----------
    function, *inputs, constants, scale, seed
        As for `check_gradients`.
    method : str, optional
        As for `check_gradients`. By default the complex step where the forward pass accepts complex
        numbers, and central differences otherwise.

    Raises
    ------
    GradientError
        An AssertionError. pytest shows the line of the test and the message, without the frames of
        the check.
    InputError
        As `check_gradients`.
    """
    __tracebackhide__ = True
    options = {"constants": constants, "scale": scale, "seed": seed}
    try:
        try:
            check_gradients(function, *inputs, method=method or "complex_step", **options)
        except ComplexStepError:
            if method is not None:
                raise
            check_gradients(function, *inputs, method="central_differences", **options)
    except GradientError as error:
        raise error.with_traceback(None) from None
