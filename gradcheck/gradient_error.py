"""The error that a check raises when a gradient is wrong."""


class GradientError(AssertionError):
    """A backward pass, or the forward pass that it belongs to, is wrong.

    Attributes
    ----------
    input : str or None
        Name of the input whose gradient is wrong; None where the fault is not that of one input.
    index : tuple of int or None
        Index of the worst entry.
    analytic, numeric : float or None
        The derivative at that entry by the backward pass and by the method.
    error, tolerance : float or None
        ‖difference‖ over the whole input, and its bound; both relative.
    report : Report or None
        The comparison of all inputs.
    """

    def __init__(
        self,
        message: str,
        input: str | None = None,
        index: tuple[int, ...] | None = None,
        analytic: float | None = None,
        numeric: float | None = None,
        error: float | None = None,
        tolerance: float | None = None,
        report=None,
    ):
        super().__init__(message)
        self.input, self.index = input, index
        self.analytic, self.numeric = analytic, numeric
        self.error, self.tolerance, self.report = error, tolerance, report


class ComplexStepError(GradientError):
    """The forward pass does not accept complex numbers, so no complex step can be used."""
