"""The same training implemented in other libraries, as fast as their users would write it.

A peer is an object with the methods of `Peer`; `worker.Worker` runs it in its own process.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple, Protocol

import numpy

from kvnet.errors import InputError


class Peer(Protocol):
    """The interface of a peer; every method returns only when its work is done."""

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """Reset the weights and the optimiser, and set the clipping bound and the noise."""

    def warm_up(self, steps: range) -> None:
        """Train, and compile everything that training needs."""

    def train(self, steps: range) -> None:
        """Run training steps; the index of a step determines its batch."""

    def loss(self, step: int) -> float:
        """Return the loss of a step's batch for the current weights."""

    def parameters(self) -> dict[str, numpy.ndarray]:
        """Return the weights under kvnet's names."""

    def prepare_test(self, batch_size: int) -> None:
        """Split the test questions into batches, and compile what prediction needs."""

    def predict(self) -> numpy.ndarray:
        """Return the answer to every test question."""


class Kind(NamedTuple):
    """The factory of a peer, and what it supports.

    Attributes
    ----------
    label : str
        Name in tables.
    module : str
        Module of this package that implements the peer.
    make : str
        Function of the module that makes the peer from a `Workload` and the number of threads.
    needs : str or None
        Package that must be installed.
    readers : tuple of str
        Sentence readers that the peer implements.
    """

    label: str
    module: str
    make: str
    needs: str | None = None
    readers: tuple[str, ...] = ("bow", "simple_gru")


KINDS = {
    "reference": Kind("kvnet reference", "kvnet_itself", "reference"),
    "fused": Kind("kvnet fused", "kvnet_itself", "fused"),
    "usual": Kind("PyTorch eager, as usual", "torch_usual", "eager", "torch"),
    "usual-compiled": Kind("PyTorch compiled, as usual", "torch_usual", "compiled", "torch"),
    "best": Kind("PyTorch eager, best", "torch_best", "eager", "torch"),
    "by-hand": Kind("PyTorch eager, backward by hand", "torch_by_hand", "eager", "torch", ("bow",)),
    "best-compiled": Kind("PyTorch compiled, best", "torch_best_compiled", "compiled", "torch"),
    "jax": Kind("JAX jit, best", "jax_best", "jitted", "jax"),
}

ON_A_GPU = {
    "reference": KINDS["reference"],
    "kvnet": Kind("kvnet, one graph per step", "kvnet_itself", "on_gpu", None, ("bow",)),
    "usual": Kind("PyTorch eager, as usual", "torch_usual", "eager_on_gpu", "torch"),
    "best": Kind("PyTorch eager, best", "torch_gpu", "autograd", "torch", ("bow",)),
    "by-hand": Kind("PyTorch eager, backward by hand", "torch_gpu", "by_hand", "torch", ("bow",)),
    "usual-reduce-overhead": Kind(
        "PyTorch compiled, reduce-overhead, as usual", "torch_usual", "reduce_overhead", "torch"
    ),
    "recorded": Kind(
        "PyTorch backward by hand, one graph per step", "torch_graph", "by_hand", "torch", ("bow",)
    ),
    "compiled-recorded": Kind(
        "PyTorch compiled, one graph per step", "torch_graph", "compiled", "torch", ("bow",)
    ),
    "reduce-overhead": Kind(
        "PyTorch compiled, reduce-overhead, best",
        "torch_graph",
        "reduce_overhead",
        "torch",
        ("bow",),
    ),
    "autotuned-recorded": Kind(
        "PyTorch compiled, tuned products, one graph per step",
        "torch_graph",
        "autotuned",
        "torch",
        ("bow",),
    ),
}


def check_installed(names: list[str], kinds: dict[str, Kind] = KINDS) -> None:
    """Raise an error if the library of a peer is missing.

    Raises
    ------
    InputError
        If a package is not installed.
    """
    for name in names:
        package = kinds[name].needs
        if package and find_spec(package) is None:
            raise InputError(
                f"{kinds[name].label} needs {package}, which is not installed; pip install -e "
                "'.[bench]', or leave the peer out"
            )


def make_peer(kind: Kind, workload, threads: int) -> Peer:
    """Make a peer in this process."""
    return getattr(import_module(f"peers.{kind.module}"), kind.make)(workload, threads)
