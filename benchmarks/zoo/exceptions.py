"""Functions of the zoo whose gradient by their framework is not their derivative, with the reason.

Each is left out of the table of false verdicts, and listed under it.
"""

UNDEFINED = "has no derivative there"
MEMORY = "writes to overlapping or uninitialised memory"
RANDOM = "draws random numbers, and has a gradient of zero by definition"
SAWTOOTH = "a sawtooth whose teeth are a millionth of the entry"
TRIGAMMA = "its trigamma is a series with a relative error of 5e-10"
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
    "torch.nn.functional.hardsigmoid": "its gradient has the float32 number nearest to 1/6",
    "torch.digamma": TRIGAMMA,
    "torch.special.psi": TRIGAMMA,
    **{f"torch.polygamma.polygamma_n_{n}": TRIGAMMA for n in range(5)},
    "torch.special.polygamma.special_polygamma_n_0": TRIGAMMA,
    "torch.special.ndtr": "its value, (1 + erf) / 2, is 0 where its gradient is 1e-13",
    "jax.numpy.cosh": "its complex form subtracts exponentials, and so loses the digits",
    "jax.scipy.special.erfcx": "its complex form is a series with a relative error of 4e-13",
    "jax.scipy.special.hyp1f1": "the gradient of its first argument has a relative error of 3e-10",
    "jax.scipy.special.i0": "its gradient at 0 is 1; the derivative is 0",
    "jax.numpy.frexp#large": UNDEFINED,
    "jax.numpy.divmod#small": SAWTOOTH,
    "jax.numpy.fmod#small": SAWTOOTH,
    "jax.numpy.mod#small": SAWTOOTH,
    "jax.numpy.remainder#small": SAWTOOTH,
}


def reason(name: str) -> str | None:
    """Return why a function is left out; None if it is not."""
    return REASONS.get(name) or REASONS.get(name.partition("#")[0])
