"""The contract of a model: named parameters, scores, a loss with its gradient, and files."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import msgspec
import numpy

from kvnet.backend import array_module
from kvnet.errors import InputError, shown
from kvnet.files.checkpoint import named, read_arrays, read_metadata, write_arrays
from kvnet.free_memory import check_memory
from kvnet.hyper_parameter import HyperParameters, at_least_one, hyper_parameter, one_of
from kvnet.kernels import choose_operations
from kvnet.operations import Operations
from kvnet.parameter_vector import by_name
from kvnet.updates.as_vector import as_vector


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(HyperParameters):
    """The configuration of every model: what a file stores. Backend and kernels are not in it."""

    vocabulary_size: int = at_least_one(MISSING, "V, word ids")
    dtype: str = one_of("float32", ("float32", "float64"), "float64 is for checking gradients")
    random_state: int = hyper_parameter(
        0, "0 to 2**64 - 1", lambda n: 0 <= n < 2**64, "seed of the initial parameters and of noise"
    )


class NetworkMetadata(msgspec.Struct):
    """The metadata of every model's file.

    Attributes
    ----------
    config : dict
    weights : {"params", "best", "average"}
        The prefix of the arrays that the model predicts with.
    """

    config: dict[str, Any]
    weights: Literal["params", "best", "average"]


class Network(ABC):
    """A model: its parameters as one vector with names, and what every model provides.

    A subclass provides `Config`, `forward`, `loss_and_gradient`, `parameter_shapes` and
    `_initial_value`.

    Parameters
    ----------
    config : NetworkConfig
        Of the class `Config`.
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"
        The textbook operations, their fused forms, or the fused forms where they run.

    Attributes
    ----------
    theta : (N,) float array
        All parameters as one vector.
    shapes : dict of str to tuple of int
        The parameters' shapes, in the order of the vector.
    params : dict of str to float array
        Views of the vector's sections, by name.
    xp : module
        Array module.
    ops : Operations
    """

    Config: ClassVar[type[NetworkConfig]]

    @property
    def nil_rows(self) -> tuple[str, ...]:
        """Names of the tables whose row 0 is the nil word's and stays zero. None by default."""
        return ()

    def __init__(self, config: NetworkConfig, backend: str = "numpy", kernels: str = "auto"):
        self.config, self.kernels = config, kernels
        self.xp = array_module(backend)
        self.ops: Operations = choose_operations(kernels, self.xp)
        self.shapes = self.parameter_shapes(config)
        if self.xp is numpy:
            self._check_memory()
        initial = {name: self._initial_value(name, shape) for name, shape in self.shapes.items()}
        self.set_theta(as_vector(self.xp, initial))

    def _check_memory(self):
        """Refuse sizes whose parameters, gradient and position encoding exceed the memory."""
        count = sum(map(prod, self.shapes.values()))
        encoding = getattr(self.config, "sentence_size", 0) * self.config.embedding_size
        check_memory(
            (2 * count + encoding) * numpy.dtype(self.config.dtype).itemsize,
            f"a {type(self).__name__} of {count:,.4g} parameters",
            f"use a smaller {self.config.setting('embedding_size')} (it is "
            f"{shown(self.config.embedding_size)}) or other smaller sizes",
        )

    def set_theta(self, theta) -> None:
        """Use another vector of parameters, of any dtype."""
        self.theta, self.params = theta, by_name(theta, self.shapes)

    @staticmethod
    @abstractmethod
    def parameter_shapes(config: NetworkConfig) -> dict[str, tuple[int, ...]]:
        """Return the names and shapes of the parameters of a model with a configuration."""

    @abstractmethod
    def _initial_value(self, name: str, shape: tuple[int, ...]):
        """Return the initial value of a parameter."""

    @abstractmethod
    def forward(self, batch):
        """Score every word as the answer.

        Parameters
        ----------
        batch : Batch or Context
            Its answers are not used.

        Returns
        -------
        scores : (B, V) float array
        attention : (H, B, M) float array
            The weight of each slot in each hop.
        """

    @abstractmethod
    def loss_and_gradient(self, batch, step: int | None = None):
        """Return the loss of a batch and its gradient with respect to every parameter.

        Parameters
        ----------
        batch : Batch or Context
        step : int, optional
            Training step; seeds dropout and other noise. None turns the noise off.

        Returns
        -------
        loss : scalar float array
            Cross entropy, summed over the batch.
        gradients : dict of str to float array or RowGradient
            By parameter name, in the order of `params`.
        """

    def predict_proba(self, batch):
        """Return the probability of every word as the answer.

        Parameters
        ----------
        batch : Batch or Context
            Its answers are not used.

        Returns
        -------
        p : (B, V) float array
        attention : (H, B, M) float array
            The weight of each slot in each hop.
        """
        scores, attention = self.forward(batch)
        return self.ops.softmax(self.xp, scores)[0], attention

    def predict(self, batch):
        """Return the most probable answers.

        Parameters
        ----------
        batch : Batch or Context
            Its answers are not used.

        Returns
        -------
        words : (B,) int64 array
            Word ids; the lowest of those with the same score.
        """
        return self.forward(batch)[0].argmax(axis=1)

    def in_order(self, gradients: Mapping) -> dict:
        """Return gradients by parameter name in the order of `params`."""
        return {name: gradients[name] for name in self.params}

    def state(self) -> tuple[dict, dict]:
        """Return the content of a file: the parameters as arrays, and metadata for JSON.

        ``metadata["weights"]`` names the prefix of the arrays that the model predicts with.
        """
        metadata = {"kind": type(self).__name__, "config": asdict(self.config), "weights": "params"}
        return named(self.params, "params/"), metadata

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
        """Read a file that `save` or a training wrote. `load_model` accepts any model's file.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}, default="numpy"
            Files are the same for all backends.
        kernels : {"reference", "fused", "auto"}, default="auto"

        Returns
        -------
        model : Network
            Of the class that this is called on.

        Raises
        ------
        InputError
            If the file cannot be read or is of another model.
        """
        return cls.from_state(path, *read_arrays(path), backend, kernels)

    @classmethod
    def from_state(
        cls, path: str | Path, arrays: dict, metadata: dict, backend: str, kernels: str
    ) -> Self:
        """Build the model from the content of a file; see `load`."""
        kind = kind_of(path, metadata)
        if kind != cls.__name__:
            raise InputError(f"{path}: is a file of {kind}, not of {cls.__name__}; give another")
        known = read_metadata(path, metadata, NetworkMetadata)
        try:
            config = cls.Config(**known.config)
        except (TypeError, InputError) as error:
            raise InputError(
                f"{path}: the description of its {kind} is damaged ({error}); give another file"
            ) from None
        # Before the model is made, whose size is not known to be that of the file.
        shapes = cls.parameter_shapes(config)
        arrays = checked(path, arrays, f"{known.weights}/", shapes, config.dtype)
        model = cls(config, backend, kernels)
        model.restore_mode(path, metadata)
        model.theta[:] = model.xp.asarray(as_vector(numpy, arrays))
        return model

    def restore_mode(self, path: str | Path, metadata: dict) -> None:  # noqa: B027  (most have none)
        """Set what `state` stored besides parameters and configuration. Does nothing by default."""


def checked(
    path: str | Path, arrays: dict, prefix: str, shapes: dict[str, tuple[int, ...]], dtype: str
) -> dict[str, numpy.ndarray]:
    """Return one array of a file per parameter, named by `prefix` and its name, after a check.

    Raises
    ------
    InputError
        If an array is missing or has another shape or dtype.
    """
    found = {}
    for name, shape in shapes.items():
        array = arrays.get(prefix + name)
        if array is None or array.shape != shape or array.dtype != dtype:
            actual = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
            raise InputError(
                f"{path}: {prefix}{name} should be {dtype}{list(shape)}, found {actual}; the file "
                "belongs to another model"
            )
        found[name] = array
    return found


def kind_of(path: str | Path, metadata: dict) -> str:
    """Return the name of the model's class that the metadata of a file names.

    Raises
    ------
    InputError
        If they name none.
    """
    kind = metadata.get("kind")
    if not isinstance(kind, str):
        raise InputError(f"{path}: does not name its model; give a file that this version wrote")
    return kind
