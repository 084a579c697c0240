"""The same training written for other libraries, each as fast as its users would write it.

A peer is an object with the methods of `Peer`; `worker.Worker` runs it in a process of its own.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple, Protocol

import numpy

from kvnet.errors import InputError


class Peer(Protocol):
    """What the benchmarks ask of a peer; every method returns when its work is done."""

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """Go back to the starting weights, and train from there with these two numbers."""

    def warm_up(self, steps: range) -> None:
        """Train, and compile whatever training will need."""

    def train(self, steps: range) -> None:
        """Take training steps; a step's number tells its batch."""

    def loss(self, step: int) -> float:
        """Return the loss of a step's batch under the weights as they are."""

    def parameters(self) -> dict[str, numpy.ndarray]:
        """Return the weights by kvnet's names."""

    def prepare_test(self, batch_size: int) -> None:
        """Lay out the test questions in batches, and compile what predicting them needs."""

    def predict(self) -> numpy.ndarray:
        """Return the answer to every test question."""


class Kind(NamedTuple):
    """Where a peer is found.

    Attributes
    ----------
    label : str
        For tables.
    module : str
        In this package.
    make : str
        There, called with a `Workload` and the number of threads.
    needs : str or None
        Package that must be installed.
    readers : tuple of str
        What the peer can read sentences with.
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
    "kvnet": Kind("kvnet, a graph a step", "kvnet_itself", "on_gpu", None, ("bow",)),
    "usual": Kind("PyTorch eager, as usual", "torch_usual", "eager_on_gpu", "torch"),
    "best": Kind("PyTorch eager, best", "torch_gpu", "autograd", "torch", ("bow",)),
    "by-hand": Kind("PyTorch eager, backward by hand", "torch_gpu", "by_hand", "torch", ("bow",)),
    "usual-reduce-overhead": Kind(
        "PyTorch compiled, reduce-overhead, as usual", "torch_usual", "reduce_overhead", "torch"
    ),
    "recorded": Kind(
        "PyTorch by hand, a graph a step", "torch_graph", "by_hand", "torch", ("bow",)
    ),
    "compiled-recorded": Kind(
        "PyTorch compiled, a graph a step", "torch_graph", "compiled", "torch", ("bow",)
    ),
    "reduce-overhead": Kind(
        "PyTorch compiled, reduce-overhead, best",
        "torch_graph",
        "reduce_overhead",
        "torch",
        ("bow",),
    ),
    "autotuned-recorded": Kind(
        "PyTorch compiled, products tuned, a graph a step",
        "torch_graph",
        "autotuned",
        "torch",
        ("bow",),
    ),
}


def check_installed(names: list[str], kinds: dict[str, Kind] = KINDS) -> None:
    """Refuse peers whose library is missing.

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
