"""Functions of the zoo whose gradient by their framework is not their derivative, with the reason.

Each is left out of the table of false verdicts, and listed under it.
"""

UNDEFINED = "has no derivative there"
MEMORY = "writes to overlapping or uninitialised memory"
RANDOM = "draws random numbers, and has a gradient of zero by definition"
REASONS = {
    "torch.as_strided_scatter": MEMORY,
    "torch.nn.functional.max_unpool1d": MEMORY,
    "torch.nn.functional.max_unpool2d": MEMORY,
    "torch.nn.functional.max_unpool3d": MEMORY,
    "torch.normal": RANDOM,
    "torch.normal.number_mean": RANDOM,
    "torch.round.decimals_3": "a staircase of steps of 1e-3, whose gradient is zero by definition",
    "torch.half": "computes in half precision, a staircase with steps of 1e-3",
    "torch.linalg.norm.subgradients_at_zero": UNDEFINED,
    "torch.bernoulli": RANDOM,
}


def reason(name: str) -> str | None:
    """Return why a function is left out; None if it is not."""
    return REASONS.get(name.partition("#")[0])
