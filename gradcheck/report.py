"""The result of a check: which inputs were compared, and how well each gradient agreed."""

from dataclasses import dataclass, field

from kvnet.gradcheck.kinks import Kink

THE_OUTPUT = "the output"  # name of the first row where outputs are compared too


@dataclass
class CheckedInput:
    """Comparison of one input's gradient with one method.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
    method : str
    entries : int
        Number of entries of the input. Each is stepped, except for those at a kink; random
        directions step all of them together.
    zeros : int
        Number of entries whose gradient is exactly zero by both, such as the nil word's row.
    kinks : list of Kink
        Entries with different left and right slopes. They are excluded from the error; their
        gradient must lie between the two slopes.
    norm : float
        Norm of the method's gradient.
    size : float
        The divisor of relative errors: the norm, or more where terms of the gradient cancel.
    error, tolerance : float
        ‖analytic - numeric‖ and its bound, divided by `size`.
    index : tuple of int or None
        Index of the worst entry; None for random directions without a fault.
    analytic, numeric : float or None
        The derivative at that entry by the backward pass and by the method.
    fault : str or None
        Description of the fault; None if the gradient is correct.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    method: str
    entries: int
    zeros: int = 0
    kinks: list[Kink] = field(default_factory=list)
    norm: float = 0.0
    size: float = 1.0
    error: float = 0.0
    tolerance: float = 0.0
    index: tuple[int, ...] | None = None
    analytic: float | None = None
    numeric: float | None = None
    fault: str | None = None

    @property
    def is_vacuous(self) -> bool:
        """Whether the gradient is zero up to rounding, so that agreement shows nothing."""
        return self.norm <= 10 * self.tolerance * self.size

    def __str__(self) -> str:
        """Format the comparison as one line."""
        details = [f"{self.entries} entries of {self.dtype}{list(self.shape)}"]
        if self.zeros:
            details.append(f"{self.zeros} with zero gradient")
        details += [f"a kink at {kink}" for kink in self.kinks]
        if self.is_vacuous:
            details.append("zero up to rounding")
        verdict = self.fault or f"error {self.error:.1e} (tolerance {self.tolerance:.1e})"
        return f"{self.name}: {verdict}, {self.method}, {', '.join(details)}"


@dataclass
class Report:
    """Comparison of all inputs of one check.

    Attributes
    ----------
    inputs : list of CheckedInput
    constants : dict of str to str
        Name and type of each input that was held constant.
    unchecked : dict of str to str
        Name of each output that is not checked, and why: its type, or that backward takes no
        gradient of it.
    notes : list of str
        What limits the check.
    """

    inputs: list[CheckedInput]
    constants: dict[str, str]
    unchecked: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        """Format one line per input, then the constants, then what was not checked."""
        lines = [str(checked) for checked in self.inputs]
        constants = [f"{name} ({kind})" for name, kind in self.constants.items()]
        lines.append(f"held constant: {', '.join(constants) or 'nothing'}")
        if self.unchecked:
            names = [f"{name} ({reason})" for name, reason in self.unchecked.items()]
            lines.append(f"outputs not checked: {', '.join(names)}")
        return "\n".join([*lines, *self.notes])
