"""The best compiled PyTorch: forward, backward and update of `BestModel` as one graph.

torch.func differentiates inside the graph, so a step is one call. Batches are padded to three
sentence counts, with one graph for each. The noise is drawn outside: Inductor's own generator,
element by element, takes 0.4 ms per step more than Tensor.normal_. The C++ wrapper saves a sixth
of a step. Tried and slower: one padded size (1.1 times); the weighted sums of words as products
with count matrices (1.25 times). No faster, within the noise of 3%: six padded sizes; a backward
pass by hand inside the graph; mode "max-autotune-no-cudagraphs".
"""

import numpy
import torch
import torch._dynamo.config
import torch._inductor.config
from torch import Tensor

from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

from .torch_best_model import BestModel, Sentences
from .workload import Workload

torch._inductor.config.cpp_wrapper = True
torch._dynamo.config.recompile_limit = 64  # beyond it a function silently runs uncompiled


class TorchBestCompiled:
    """The peer whose whole step is compiled.

    Parameters
    ----------
    workload : Workload
    threads : int
    """

    def __init__(self, workload: Workload, threads: int):
        torch.set_num_threads(threads)
        self.workload, self.model = workload, BestModel(workload)
        padded_sizes = workload.padded_sizes(workload.batches)
        self.batches = [self.model.tensors(b, padded_sizes) for b in workload.batches]
        masks = self.model.split(torch.ones_like(self.model.start))
        masks["W"][0] = masks["W_mem"][0] = 0
        self.not_nil = torch.cat([mask.reshape(-1) for mask in masks.values()])
        self._step = torch.compile(self.step, dynamic=False)
        self._scores = torch.compile(self.flat_scores, dynamic=False)
        self._loss = torch.compile(self.flat_loss, dynamic=False)

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.theta = self.model.start.clone()
        self.m, self.v, self.noise = (torch.zeros_like(self.theta) for _ in range(3))
        self.rate, self.total_loss = self.theta.new_zeros(()), self.theta.new_zeros(())
        self.clip_norm = self.theta.new_tensor(clip_norm)
        self.deviation = self.theta.new_tensor(noise_deviation)

    def flat_scores(self, theta: Tensor, batch: Sentences) -> Tensor:
        """Score every word, given a flat vector of parameters."""
        return self.model.scores(self.model.split(theta), batch)

    def flat_entropy(self, theta: Tensor, batch: Sentences) -> Tensor:
        """Return the entropy, given a flat vector of parameters."""
        return self.model.entropy(self.model.split(theta), batch)

    def with_penalty(self, entropy: Tensor, theta: Tensor) -> Tensor:
        """Return the entropy plus the penalty."""
        return entropy + 0.5 * self.workload.recipe.l2_lambda * (theta * theta).sum()

    def flat_loss(self, theta: Tensor, batch: Sentences) -> Tensor:
        """Return the loss, given a flat vector of parameters."""
        return self.with_penalty(self.flat_entropy(theta, batch), theta)

    def step(self, theta, m, v, noise, total_loss, rate, clip_norm, deviation, batch):
        """Run the published step and add the loss to the total, all in place."""
        recipe = self.workload.recipe
        g, entropy = torch.func.grad_and_value(self.flat_entropy)(theta, batch)
        total_loss.add_(self.with_penalty(entropy, theta))
        g = g * self.not_nil + recipe.l2_lambda * theta
        sections = g.split(self.model.sizes)
        g = torch.cat([s * (clip_norm / s.norm().clamp(min=clip_norm)) for s in sections])
        g = g + deviation * self.not_nil * noise
        m.lerp_(g, 1 - BETA_1)
        v.lerp_(g * g, 1 - BETA_2)
        theta.sub_(rate * m / (v.sqrt() + recipe.epsilon))

    def warm_up(self, steps: range) -> None:
        """Compile the step for every shape, then train."""
        shapes = {batch.sentences.shape: i for i, batch in enumerate(self.batches)}
        for i in shapes.values():
            self.take_step(steps.start, self.batches[i])
        self.train(steps)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        for step in steps:
            self.take_step(step, self.batches[self.workload.batch_of(step)])

    @torch.no_grad()
    def take_step(self, step: int, batch: Sentences) -> None:
        """Draw the noise and run the compiled step."""
        self.rate.fill_(corrected_rate(self.workload.recipe.learning_rate, step))
        self.noise.normal_()
        vectors = (self.theta, self.m, self.v, self.noise)
        scalars = (self.total_loss, self.rate, self.clip_norm, self.deviation)
        self._step(*vectors, *scalars, batch)

    def loss(self, step: int) -> float:
        """See `peers.Peer`."""
        with torch.no_grad():
            batch = self.batches[self.workload.batch_of(step)]
            return self._loss(self.theta, batch).item()

    def parameters(self) -> dict[str, numpy.ndarray]:
        """See `peers.Peer`."""
        return {name: p.cpu().numpy().copy() for name, p in self.model.split(self.theta).items()}

    def prepare_test(self, batch_size: int) -> None:
        """See `peers.Peer`."""
        batches = self.workload.test_batches(batch_size)
        padded_sizes = self.workload.padded_sizes(batches)
        self.test_batches = [self.model.tensors(batch, padded_sizes) for batch in batches]
        self.predict()

    @torch.no_grad()
    def predict(self) -> numpy.ndarray:
        """See `peers.Peer`."""
        answers = [self._scores(self.theta, b).argmax(dim=1) for b in self.test_batches]
        return torch.cat(answers).cpu().numpy()[: len(self.workload.data.testing.dataset)]


def compiled(workload: Workload, threads: int) -> TorchBestCompiled:
    """Return the peer."""
    return TorchBestCompiled(workload, threads)
