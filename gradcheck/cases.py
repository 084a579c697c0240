"""Cases: what is checked, and the numbers that a case is drawn from."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy

from kvnet.errors import InputError

# What a parameter of that name may be, the simplest first: a failing case shrinks towards it.
OPTIONS = {
    "B": (1, 2, 3),
    "N": (1, 2, 3, 5),
    "M": (1, 2, 3, 5),
    "S": (1, 2, 3, 5),
    "V": (2, 3, 7),
    "E": (1, 2, 3, 5),
    "F": (1, 2, 3, 5),
    "H": (1, 2, 3),
    "spare": (0, 2),
    "rank": (2, 3),
    "keep_prob": (1.0, 0.7, 0.2),
    "words": ("padded", "all-nil", "one-word"),
    "allowed": ("all", "some", "nothing"),
    "masked": (False, True),
    "nil": (True, False),
    "with_softmax": (True, False),
    "linear_size": (0, 1, 3, 5),
}
LARGEST_SEED = 2**32 - 1
# How many times the ordinary size; sharp ones saturate a softmax to about the last digit.
LOGITS = {"ordinary": 1.0, "sharp": 10.0, "extreme": 1e4}


@dataclass(frozen=True)
class Case:
    """A function with the inputs to check it on, as `check_gradients` takes them.

    Attributes
    ----------
    function : callable
    inputs : tuple
    constants : tuple of str
    scale : float or dict
    textbook : callable, optional
        Of a fused kernel: the plain operation that it has to equal. Such a function is not asked to
        take complex numbers.
    """

    function: Callable
    inputs: tuple
    constants: tuple[str, ...] = ()
    scale: float | dict = 0.0
    textbook: Callable | None = None


@dataclass(frozen=True)
class Subject:
    """Something to check: how to build a case of it, and in which variants.

    Attributes
    ----------
    name : str
    build : callable
        ``(arrays, **variant, **numbers) -> Case``. Its parameters are either of a variant or named
        in `OPTIONS`, and are drawn from there.
    variants : dict of str to tuple
        Each combination is checked and reported by itself.
    """

    name: str
    build: Callable[..., Case]
    variants: dict[str, Sequence] = field(default_factory=dict)

    def combinations(self) -> list[dict]:
        """List the variants."""
        return [dict(zip(self.variants, c, strict=True)) for c in product(*self.variants.values())]

    def options(self) -> dict[str, tuple]:
        """Return what the numbers of a case are drawn from."""
        drawn = list(inspect.signature(self.build).parameters)[1:]
        return {name: OPTIONS[name] for name in drawn if name not in self.variants}

    def case(self, xp, dtype: str, numbers: dict) -> Case:
        """Build the case that a variant's and the drawn numbers stand for; ``seed`` is one."""
        numbers = dict(numbers)
        arrays = RandomArrays(xp, dtype, numpy.random.default_rng(numbers.pop("seed")))
        return self.build(arrays, **numbers)

    def numbers(self, text: str) -> dict:
        """Read ``B=2,words=all-nil,seed=3``; what is left out is the simplest.

        Raises
        ------
        InputError
            If a name or a value is unknown.
        """
        allowed = {**self.variants, **self.options()}
        numbers = {name: values[0] for name, values in allowed.items()} | {"seed": 0}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name == "seed" and value.isdecimal() and int(value) <= LARGEST_SEED:
                numbers["seed"] = int(value)
                continue
            found = [option for option in allowed.get(name, ()) if str(option) == value]
            if not found:
                takes = "; ".join(f"{n}: {', '.join(map(str, v))}" for n, v in allowed.items())
                raise InputError(f"--case: {part!r} is none of {self.name}'s ({takes}; seed)")
            numbers[name] = found[0]
        return numbers


def registering(subjects: dict[str, Subject]) -> Callable:
    """Return a decorator that notes a build function as a subject of its own name.

    Parameters
    ----------
    subjects : dict
        Where it is noted.

    Returns
    -------
    decorator : callable
        Takes the variants by name: ``@operation(logits=("ordinary", "extreme"))``.
    """

    def with_variants(**variants):
        def register(build):
            subjects[build.__name__] = Subject(build.__name__, build, variants)
            return build

        return register

    return with_variants


class RandomArrays:
    """Random arrays of one backend and dtype.

    Parameters
    ----------
    xp : module
        Array module.
    dtype : str
    rng : numpy.random.Generator
    """

    def __init__(self, xp, dtype: str, rng: numpy.random.Generator):
        self.xp, self.dtype, self.rng = xp, dtype, rng

    @property
    def on_host(self) -> "RandomArrays":
        """The same random numbers as NumPy arrays."""
        return RandomArrays(numpy, self.dtype, self.rng)

    def normal(self, *shape: int, size: float = 1.0):
        """Draw normally distributed numbers."""
        return self.xp.asarray((size * self.rng.standard_normal(shape)).astype(self.dtype))

    def logits(self, kind: str, *shape: int):
        """Draw scores of a kind; extreme ones are often equal, or no gradient would be left."""
        x = self.rng.standard_normal(shape)
        x = numpy.round(x) if kind == "extreme" else x
        return self.xp.asarray((LOGITS[kind] * x).astype(self.dtype))

    def uniform(self, *shape: int):
        """Draw numbers between 0 and 1."""
        return self.xp.asarray(self.rng.random(shape).astype(self.dtype))

    def words(self, kind: str, V: int, *shape: int):
        """Draw sentences of word ids, padded with nil: some short, some empty, or one word only."""
        lengths = self.rng.integers(1, shape[-1] + 1, (*shape[:-1], 1))
        lengths[self.rng.random(lengths.shape) < 0.25] = 0
        if kind == "all-nil":
            lengths[0] = 0
        words = self.rng.integers(1, V, shape)
        if kind == "one-word":
            words[...] = self.rng.integers(1, V)
        words[numpy.arange(shape[-1]) >= lengths] = 0
        return self.xp.asarray(words)

    def rows(self, N: int, *shape: int):
        """Draw which of N rows stand where; half the places hold row 0, as an empty slot does."""
        rows = self.rng.integers(0, N, shape) * self.rng.integers(0, 2, shape)
        return self.xp.asarray(rows)

    def allowed(self, kind: str, *shape: int):
        """Draw a mask: None, some of a row, or nothing in the first row."""
        if kind == "all":
            return None
        allowed = self.rng.random(shape) < 0.6
        if kind == "nothing":
            allowed[0] = False
        return self.xp.asarray(allowed)
