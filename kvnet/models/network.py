"""What all models share: named parameters in one vector, their files and their arguments."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Self

from kvnet.backend import array_module
from kvnet.checkpoint import named, read_arrays, write_arrays
from kvnet.errors import InputError
from kvnet.kernels import choose
from kvnet.parameter_vector import as_vector, by_name

NOT_CONFIG = ("self", "backend", "kernels", "__class__")  # where a model runs is not what it is


class Network(ABC):
    """A model's parameters as one vector, with their names.

    Parameters
    ----------
    config : dict
        The arguments that make the model what it is, ready for JSON; `dtype` is one.
    backend : {"numpy", "cupy", "auto"}
    kernels : {"reference", "fused", "auto"}

    Attributes
    ----------
    theta : (N,) float array
        All parameters as one vector.
    shapes : dict of str to tuple of int
        The parameters' shapes, in the order in which they stand in the vector.
    params : dict of str to float array
        The parts of `theta` by name.
    """

    def __init__(self, config: dict, backend: str, kernels: str):
        self.config = config
        self.xp = array_module(backend)
        self.operations = choose(kernels, self.xp)
        self.shapes = self._parameter_shapes()
        self.theta = as_vector(
            self.xp, {name: self._start(name, shape) for name, shape in self.shapes.items()}
        )
        self.params = by_name(self.theta, self.shapes)

    @abstractmethod
    def _parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Name the parameters."""

    @abstractmethod
    def _start(self, name, shape):
        """Return a parameter's starting numbers."""

    @property
    def dtype(self) -> str:
        """The dtype of the parameters."""
        return self.config["dtype"]

    def state(self) -> tuple[dict, dict]:
        """Return what a file must hold: the parameters as arrays, and metadata for JSON."""
        return named(self.params, "params/"), {"model": self.config}

    def save(self, path: str | Path) -> None:
        """Write the parameters and the configuration to a safetensors file.

        Parameters
        ----------
        path : str or Path
            Written to a temporary name first and renamed.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        write_arrays(path, *self.state())

    @classmethod
    def load(cls, path: str | Path, backend: str = "numpy", kernels: str = "auto") -> Self:
        """Read what `save` wrote, or a training checkpoint.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}
            Where to run; files are the same for all.
        kernels : {"reference", "fused", "auto"}

        Returns
        -------
        model : Network
            Of the class that this is called on.

        Raises
        ------
        InputError
            If the file cannot be read or holds another model.
        """
        return cls.from_state(path, *read_arrays(path), backend, kernels)

    @classmethod
    def from_state(cls, path, arrays, metadata, backend, kernels) -> Self:
        """Build the model of what was read from a file; see `load`."""
        try:
            model = cls(**metadata["model"], backend=backend, kernels=kernels)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}: holds no {cls.__name__} ({error}); give a file that one wrote"
            ) from None
        # The best or averaged weights stand beside the last ones, which a training goes on from.
        kept = {name.partition("/")[0] + "/" for name in arrays}
        prefix = next((p for p in ("best/", "average/") if p in kept), "params/")
        model.theta[:] = as_vector(model.xp, model.checked(path, arrays, prefix))
        return model

    def checked(self, path, arrays: dict, prefix: str) -> dict:
        """Pick one array a parameter, named by `prefix` and its name, and check its shape.

        Raises
        ------
        InputError
            If one is missing or of another shape or dtype.
        """
        picked = {}
        for name, theta in self.params.items():
            array = arrays.get(prefix + name)
            if array is None or array.shape != theta.shape or array.dtype != theta.dtype:
                found = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
                raise InputError(
                    f"{path}: {prefix}{name} should be {theta.dtype}{list(theta.shape)}, found "
                    f"{found}; the file belongs to another model"
                )
            picked[name] = self.xp.asarray(array)
        return picked


def check_argument(config: dict, name: str, good, takes: str, kind=str) -> None:
    """Refuse a model's argument that is out of range.

    Raises
    ------
    InputError
        Naming it, its value and what it takes.
    """
    value = config[name]
    if not isinstance(value, kind) or isinstance(value, bool) or not good(value):
        raise InputError(f"{name}={value!r} is out of range; it takes {takes}")


def check_sizes(config: dict, *names: str) -> None:
    """Refuse arguments that are no whole numbers from 1."""
    for name in names:
        check_argument(config, name, lambda n: n >= 1, "a whole number from 1", int)


def check_dtype_and_seed(config: dict) -> None:
    """Refuse an unknown `dtype` and a `random_state` that is no seed."""
    good = ("float32", "float64")
    check_argument(config, "dtype", good.__contains__, "'float32' or 'float64'")
    check_argument(config, "random_state", lambda n: 0 <= n < 2**64, "0 to 2**64 - 1", int)
