"""What a check covered, and how well each gradient agreed."""

from dataclasses import dataclass, field

from .kinks import Kink

THE_OUTPUT = "the output"  # what stands for a name where outputs are compared, not gradients


@dataclass
class CheckedInput:
    """One input's gradient against one method.

    Attributes
    ----------
    name : str
    shape : tuple of int
    dtype : str
    method : str
    entries : int
        How many the input has; each was stepped but those at a kink. Random directions step all of
        them together.
    zeros : int
        Entries whose gradient is exactly zero by both, such as the nil word's row.
    kinks : list of Kink
        Entries left out of the error, because they have a left and a right slope; their gradient
        has to lie between the two.
    norm : float
        Of the method's gradient.
    size : float
        What errors are relative to: the norm, or more where terms of the gradient cancel.
    error, tolerance : float
        ‖analytic - numeric‖ and how large it may be, as shares of the size.
    index : tuple of int or None
        The worst entry; random directions know none.
    analytic, numeric : float or None
        The two there.
    fault : str or None
        What is wrong; None where nothing is.
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
        """Whether the gradient is zero up to rounding: any other that small would do as well."""
        return self.norm <= 10 * self.tolerance * self.size

    def __str__(self) -> str:
        """Say in one line what was compared."""
        told = [f"{self.entries} entries of {self.dtype}{list(self.shape)}"]
        if self.zeros:
            told.append(f"{self.zeros} without gradient")
        told += [f"a kink at {kink}" for kink in self.kinks]
        if self.is_vacuous:
            told.append("zero up to rounding")
        verdict = self.fault or f"error {self.error:.1e} (tolerance {self.tolerance:.1e})"
        return f"{self.name}: {verdict}, {self.method}, {', '.join(told)}"


@dataclass
class Report:
    """Every input of one check.

    Attributes
    ----------
    inputs : list of CheckedInput
    constants : dict of str to str
        What was held fixed, and what kind of thing it is.
    """

    inputs: list[CheckedInput]
    constants: dict[str, str]

    def __str__(self) -> str:
        """List every input, then the constants."""
        lines = [str(checked) for checked in self.inputs]
        held = [f"{name} ({kind})" for name, kind in self.constants.items()]
        return "\n".join([*lines, f"held constant: {', '.join(held) or 'nothing'}"])
