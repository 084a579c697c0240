"""Cases to check, and the options from which their parameters are drawn."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy

from kvnet.errors import InputError

# Options of each parameter name, the simplest first: a failing case shrinks towards it.
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
DATA = 0xDA7A  # makes the random data of a case independent of other numbers with the same seed
# Multiplier of the logits by kind; sharp logits saturate a softmax almost to machine precision.
LOGITS = {"ordinary": 1.0, "sharp": 10.0, "extreme": 1e4}


@dataclass(frozen=True)
class Case:
    """A function and the arguments with which `check_gradients` checks it.

    Attributes
    ----------
    function : callable
    inputs : tuple
    constants : tuple of str
    scale : float or dict
    textbook : callable, optional
        For a fused kernel, the plain operation that it must equal. Such a kernel need not accept
        complex numbers.
    """

    function: Callable
    inputs: tuple
    constants: tuple[str, ...] = ()
    scale: float | dict = 0.0
    textbook: Callable | None = None


@dataclass(frozen=True)
class Subject:
    """An operation or model to check: how to build a case of it, and its variants.

    Attributes
    ----------
    name : str
    build : callable
        ``(arrays, **parameters) -> Case``. Each parameter is either in `variants` or in `OPTIONS`;
        the latter are drawn at random.
    variants : dict of str to tuple
        Options of each variant parameter. Every combination is checked and reported separately.
    """

    name: str
    build: Callable[..., Case]
    variants: dict[str, Sequence] = field(default_factory=dict)

    def combinations(self) -> list[dict]:
        """List all combinations of the variant parameters."""
        return [dict(zip(self.variants, c, strict=True)) for c in product(*self.variants.values())]

    def options(self) -> dict[str, tuple]:
        """Return the options of each randomly drawn parameter."""
        names = list(inspect.signature(self.build).parameters)[1:]
        return {name: OPTIONS[name] for name in names if name not in self.variants}

    def case(self, xp, dtype: str, parameters: dict) -> Case:
        """Build a case from the variant parameters, the drawn parameters and ``seed``."""
        parameters = dict(parameters)
        rng = numpy.random.default_rng([DATA, parameters.pop("seed")])
        arrays = RandomArrays(xp, dtype, rng)
        return self.build(arrays, **parameters)

    def numbers(self, text: str) -> dict:
        """Parse case parameters such as ``B=2,words=all-nil,seed=3``.

        Parameters
        ----------
        text : str
            Comma-separated ``name=value``. A missing parameter is its simplest option.

        Returns
        -------
        parameters : dict
            As for `case`.

        Raises
        ------
        InputError
            If a name or a value is unknown.
        """
        allowed = {**self.variants, **self.options()}
        parameters = {name: values[0] for name, values in allowed.items()} | {"seed": 0}
        for part in filter(None, text.split(",")):
            name, _, value = part.partition("=")
            if name == "seed" and value.isdecimal() and int(value) <= LARGEST_SEED:
                parameters["seed"] = int(value)
                continue
            matching = [option for option in allowed.get(name, ()) if str(option) == value]
            if not matching:
                known = "; ".join(f"{n}: {', '.join(map(str, v))}" for n, v in allowed.items())
                raise InputError(
                    f"--case: {part!r} is not valid for {self.name}; its parameters are {known}; "
                    "seed"
                )
            parameters[name] = matching[0]
        return parameters


def registering(subjects: dict[str, Subject]) -> Callable:
    """Return a decorator that registers a build function as a subject under its own name.

    Parameters
    ----------
    subjects : dict
        The registry that the subject is added to.

    Returns
    -------
    decorator : callable
        Takes the variants as keyword arguments: ``@operation(logits=("ordinary", "extreme"))``.
    """

    def with_variants(**variants):
        def register(build):
            subjects[build.__name__] = Subject(build.__name__, build, variants)
            return build

        return register

    return with_variants


class RandomArrays:
    """Generator of random arrays of one backend and dtype.

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
        """The same generator for NumPy arrays."""
        return RandomArrays(numpy, self.dtype, self.rng)

    def normal(self, *shape: int, size: float = 1.0):
        """Draw normally distributed values with standard deviation `size`."""
        return self.xp.asarray((size * self.rng.standard_normal(shape)).astype(self.dtype))

    def logits(self, kind: str, *shape: int):
        """Draw logits of a kind of `LOGITS`.

        Extreme logits are multiples of 10,000, so that some are equal; otherwise every gradient
        would vanish.
        """
        x = self.rng.standard_normal(shape)
        x = numpy.round(x) if kind == "extreme" else x
        return self.xp.asarray((LOGITS[kind] * x).astype(self.dtype))

    def uniform(self, *shape: int):
        """Draw values from the uniform distribution on [0, 1)."""
        return self.xp.asarray(self.rng.random(shape).astype(self.dtype))

    def words(self, kind: str, V: int, *shape: int):
        """Draw sentences of token ids, padded with nil; some are short and some are empty.

        Parameters
        ----------
        kind : {"padded", "all-nil", "one-word"}
            ``"all-nil"`` makes the first sentence empty; ``"one-word"`` repeats a single token.
        V : int
            Vocabulary size.
        *shape : int
            The last axis is the sentence.
        """
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
        """Draw row indices below N; about half are 0, the index of an empty slot."""
        rows = self.rng.integers(0, N, shape) * self.rng.integers(0, 2, shape)
        return self.xp.asarray(rows)

    def allowed(self, kind: str, *shape: int):
        """Draw a mask of allowed entries.

        Parameters
        ----------
        kind : {"all", "some", "nothing"}
            ``"all"`` returns None; ``"nothing"`` allows no entry of the first row.
        *shape : int
        """
        if kind == "all":
            return None
        allowed = self.rng.random(shape) < 0.6
        if kind == "nothing":
            allowed[0] = False
        return self.xp.asarray(allowed)
