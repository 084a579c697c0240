"""kvnet with the interface of its peers."""

from contextlib import ExitStack

import numpy

from kvnet.backend import array_module, to_numpy
from kvnet.kernels import kernel_threads
from kvnet.training.fused_steps import steps_for
from kvnet.training.prediction import predict_words
from kvnet.training.trainer import Trainer

from .workload import SEED, Workload


class KvnetItself:
    """kvnet's training, used as on the command line.

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
        self.data = workload.data if xp is numpy else workload.spec.load(xp)[1]
        self.thread_limit = ExitStack()  # stays open for the life of this object
        self.thread_limit.enter_context(kernel_threads(threads))

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `Peer`."""
        self.model = self.workload.new_model(self.kernels, self.backend)
        self.trainer = Trainer(self.model, self.data.training.dataset, self.workload.recipe, SEED)
        optimizer = self.trainer.optimizer
        optimizer.rule = optimizer.rule._replace(
            clip_norm=float(clip_norm), noise_deviation=noise_deviation
        )
        self.steps = steps_for([self.trainer])

    def warm_up(self, steps: range) -> None:
        """Train up to the end of `steps`; batches are packed in the first epoch."""
        self.steps.train(steps.stop - self.trainer.step)

    def train(self, steps: range) -> None:
        """See `Peer`."""
        if self.trainer.step != steps.start:
            raise ValueError(f"the trainer is at step {self.trainer.step}, not {steps.start}")
        self.steps.train(len(steps))

    def loss(self, step: int) -> float:
        """See `Peer`."""
        model, l2_lambda = self.model, self.workload.recipe.l2_lambda
        loss, _ = model.loss_and_gradient(self.trainer.batch(step))
        penalty, _ = model.ops.l2_penalty(model.xp, model.theta, l2_lambda)
        return float(loss + penalty)

    def parameters(self) -> dict[str, numpy.ndarray]:
        """See `Peer`."""
        return {name: to_numpy(theta).copy() for name, theta in self.model.params.items()}

    def prepare_test(self, batch_size: int) -> None:
        """See `Peer`; kvnet chooses itself how many questions it answers at a time."""
        self.predict()

    def predict(self) -> numpy.ndarray:
        """See `Peer`."""
        return to_numpy(predict_words(self.model, self.data.testing.dataset))


def reference(workload: Workload, threads: int) -> KvnetItself:
    """Return kvnet with the textbook operations."""
    return KvnetItself(workload, threads, "reference")


def fused(workload: Workload, threads: int) -> KvnetItself:
    """Return kvnet with its fused kernels."""
    return KvnetItself(workload, threads, "fused")


def on_gpu(workload: Workload, threads: int) -> KvnetItself:
    """Return kvnet with its fused kernels on a GPU."""
    return KvnetItself(workload, threads, "fused", "cupy")
