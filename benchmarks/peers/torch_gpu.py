"""Eager PyTorch on a GPU: `SlotsModel`, under autograd and by hand, and an update of few launches.

Everything is in full float32: tf32 is off. Nothing in a step waits for the GPU.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from kvnet.updates.noisy_adam import corrected_rate

from .torch_best import FlatNoisyAdam, TorchBest
from .torch_best_model import Sentences
from .torch_slots_model import SlotsModel
from .workload import Workload

torch.set_float32_matmul_precision("highest")  # no tf32; Inductor asks for it, too


class GpuNoisyAdam(FlatNoisyAdam):
    """The published update in a dozen launches, its rate read on the device.

    Clipping scales are gathered for each number, with zero for the numbers of the nil rows.
    """

    def __init__(self, theta: Tensor, gradient: Tensor, model: SlotsModel, *rest):
        super().__init__(theta, gradient, model, *rest)
        self.rate, self.bound = theta.new_zeros(()), theta.new_tensor(self.clip_norm)
        self.spread = theta.new_tensor(self.deviation)
        self.parts, count = [], len(model.names)
        self.scales = theta.new_zeros(count + 1)
        self.part_of = torch.empty_like(theta, dtype=torch.long)
        for i, (name, part) in enumerate(model.split(self.part_of).items()):
            nil = 1 if name in ("W", "W_mem") else 0
            part[:nil], part[nil:] = count, i
            self.parts.append(model.split(gradient)[name][nil:].reshape(-1))
        self.not_nil = (self.part_of < count).to(theta.dtype)

    def update(self, step: int) -> None:
        """Take a step from the gradient of the entropy."""
        self.rate.fill_(corrected_rate(self.settings.learning_rate, step))
        self.update_at(self.rate)

    def update_at(self, rate: Tensor) -> None:
        """Take a step at a corrected rate."""
        g, scales = self.gradient, self.scales[:-1]
        g.add_(self.theta, alpha=self.settings.l2_lambda)
        torch.stack(torch._foreach_norm(self.parts), out=scales)
        torch.div(self.bound, scales.clamp_(min=self.clip_norm), out=scales)
        g.mul_(self.scales.index_select(0, self.part_of))
        g.addcmul_(self.noise.normal_(), self.not_nil, value=self.deviation)
        self.adam(rate)


class TorchGpu(TorchBest):
    """The peer under autograd; see `TorchBest`."""

    model_class, update_class = SlotsModel, GpuNoisyAdam

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.new_state(clip_norm, noise_deviation)
        for theta in self.params.values():
            theta.requires_grad_()

    @torch.no_grad()
    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        for step in steps:
            self.make_gradient(self.batch(step))
            self.adam.update(step)

    def make_gradient(self, batch: Sentences) -> None:
        """Leave the gradient of the entropy in one vector, and add the loss to the total."""
        entropy, parts = self.entropy_and_gradient(batch)
        torch.cat([part.reshape(-1) for part in parts], out=self.gradient)
        self.total_loss += self.with_penalty(entropy)

    def entropy_and_gradient(self, batch: Sentences) -> tuple[Tensor, Sequence[Tensor]]:
        """Run forward and backward."""
        with torch.enable_grad():
            entropy = self.model.entropy(self.params, batch)
        return entropy.detach(), torch.autograd.grad(entropy, [*self.params.values()])


class TorchGpuByHand(TorchGpu):
    """The peer whose backward pass is written out."""

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.new_state(clip_norm, noise_deviation)

    def entropy_and_gradient(self, batch: Sentences) -> tuple[Tensor, Sequence[Tensor]]:
        """Run forward and backward."""
        return self.model.entropy_and_gradient(self.params, batch)


def autograd(workload: Workload, threads: int) -> TorchGpu:
    """Make the peer under autograd."""
    return TorchGpu(workload, threads, "cuda")


def by_hand(workload: Workload, threads: int) -> TorchGpuByHand:
    """Make the peer by hand."""
    return TorchGpuByHand(workload, threads, "cuda")
