"""What a check raises when a gradient is wrong."""


class GradientError(AssertionError):
    """A backward pass, or the forward pass under it, is wrong; the message says how and where.

    Attributes
    ----------
    input : str or None
        Name of the input whose gradient it is; None where the fault is no single input's.
    index : tuple of int or None
        Its worst entry.
    analytic, numeric : float or None
        What the backward pass and the method say there.
    error, tolerance : float or None
        ‖difference‖ over the whole input, and how large it may be; both relative.
    report : Report or None
        What was compared, all inputs.
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
