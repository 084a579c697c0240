"""kvnet with the interface of its peers."""

from contextlib import ExitStack
from dataclasses import replace

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.kernels import kernel_threads
from kvnet.training.trainer import Trainer

from .workload import SEED, Workload


class KvnetItself:
    """kvnet's `Trainer`, used as on the command line.

    Parameters
    ----------
    workload : Workload
    threads : int
        For the kernels. BLAS uses one, as on the command line.
    kernels : {"reference", "fused"}
    backend : {"numpy", "cupy"}
    """

    def __init__(self, workload: Workload, threads: int, kernels: str, backend: str = "numpy"):
        self.workload, self.kernels, self.backend = workload, kernels, backend
        xp = array_module(backend)
        self.data = workload.data if xp is numpy else workload.recipe.load(xp)[1]
        self.thread_limit = ExitStack()  # stays open for the life of this object
        self.thread_limit.enter_context(kernel_threads(threads))

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `Peer`."""
        settings = replace(
            self.workload.settings, max_grad_norm=float(clip_norm), clip_summed_loss=True
        )
        self.model = self.workload.new_model(self.kernels, self.backend)
        self.trainer = Trainer(self.model, self.data.training.dataset, settings, SEED)
        optimizer = self.trainer.optimizer
        optimizer.rule = optimizer.rule._replace(noise_deviation=noise_deviation)

    def warm_up(self, steps: range) -> None:
        """Train up to the end of `steps`; the trainer packs its batches in the first epoch."""
        while self.trainer.step < steps.stop:
            self.trainer.train(steps.stop - self.trainer.step)

    def train(self, steps: range) -> None:
        """See `Peer`."""
        if self.trainer.step != steps.start:
            raise ValueError(f"the trainer is at step {self.trainer.step}, not {steps.start}")
        self.warm_up(steps)

    def loss(self, step: int) -> float:
        """See `Peer`."""
        batch, l2_lambda = self.trainer.batch(step), self.workload.settings.l2_lambda
        return float(self.model.loss_and_gradient(batch, l2_lambda)[0])

    def parameters(self) -> dict[str, numpy.ndarray]:
        """See `Peer`."""
        return {name: to_numpy(theta).copy() for name, theta in self.model.params.items()}

    def prepare_test(self, batch_size: int) -> None:
        """See `Peer`; kvnet chooses itself how many questions it answers at a time."""
        self.predict()

    def predict(self) -> numpy.ndarray:
        """See `Peer`."""
        operations, dataset = self.model.operations, self.data.testing.dataset
        return to_numpy(operations.predict_words(self.model, dataset))


def reference(workload: Workload, threads: int) -> KvnetItself:
    """Return kvnet with the textbook operations."""
    return KvnetItself(workload, threads, "reference")


def fused(workload: Workload, threads: int) -> KvnetItself:
    """Return kvnet with its fused kernels."""
    return KvnetItself(workload, threads, "fused")


def on_gpu(workload: Workload, threads: int) -> KvnetItself:
    """Return kvnet with its fused kernels on a GPU."""
    return KvnetItself(workload, threads, "fused", "cupy")
