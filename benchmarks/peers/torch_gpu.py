"""Eager PyTorch on a GPU: `SlotsModel` with autograd or by hand, and an update of few launches.

All products are in full float32, tf32 is off. No operation in a step synchronises with the GPU.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from kvnet.updates.noisy_adam import corrected_rate

from .torch_best import FlatNoisyAdam, TorchBest
from .torch_best_model import Sentences
from .torch_slots_model import SlotsModel
from .workload import Workload

torch.set_float32_matmul_precision("highest")  # no tf32; Inductor reads this setting, too


class GpuNoisyAdam(FlatNoisyAdam):
    """The published update in a dozen launches; the learning rate is read on the device.

    Clipping scales are gathered for each element; the scale of elements in nil rows is zero.
    """

    def __init__(self, theta: Tensor, gradient: Tensor, model: SlotsModel, *rest):
        super().__init__(theta, gradient, model, *rest)
        self.rate, self.bound = theta.new_zeros(()), theta.new_tensor(self.clip_norm)
        self.spread = theta.new_tensor(self.deviation)
        self.sections, count = [], len(model.names)
        self.scales = theta.new_zeros(count + 1)  # the last one is that of the nil rows
        self.section_of = torch.empty_like(theta, dtype=torch.long)
        for i, (name, section) in enumerate(model.split(self.section_of).items()):
            nil = 1 if name in ("W", "W_mem") else 0
            section[:nil], section[nil:] = count, i
            self.sections.append(model.split(gradient)[name][nil:].reshape(-1))
        self.not_nil = (self.section_of < count).to(theta.dtype)

    def update(self, step: int) -> None:
        """Run the update from the gradient of the entropy."""
        self.rate.fill_(corrected_rate(self.recipe.learning_rate, step))
        self.update_at(self.rate)

    def update_at(self, rate: Tensor) -> None:
        """Run the update with a bias-corrected rate."""
        g, scales = self.gradient, self.scales[:-1]
        g.add_(self.theta, alpha=self.recipe.l2_lambda)
        torch.stack(torch._foreach_norm(self.sections), out=scales)
        torch.div(self.bound, scales.clamp_(min=self.clip_norm), out=scales)
        g.mul_(self.scales.index_select(0, self.section_of))
        g.addcmul_(self.noise.normal_(), self.not_nil, value=self.deviation)
        self.adam(rate)


class TorchGpu(TorchBest):
    """The peer with autograd; see `TorchBest`."""

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
        """Write the gradient of the entropy to one vector, and add the loss to the total."""
        entropy, gradients = self.entropy_and_gradient(batch)
        torch.cat([g.reshape(-1) for g in gradients], out=self.gradient)
        self.total_loss += self.with_penalty(entropy)

    def entropy_and_gradient(self, batch: Sentences) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the entropy and the gradients of all parameters."""
        with torch.enable_grad():
            entropy = self.model.entropy(self.params, batch)
        return entropy.detach(), torch.autograd.grad(entropy, [*self.params.values()])


class TorchGpuByHand(TorchGpu):
    """The peer with a hand-written backward pass."""

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.new_state(clip_norm, noise_deviation)

    def entropy_and_gradient(self, batch: Sentences) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the entropy and the gradients of all parameters."""
        return self.model.entropy_and_gradient(self.params, batch)


def autograd(workload: Workload, threads: int) -> TorchGpu:
    """Return the peer with autograd."""
    return TorchGpu(workload, threads, "cuda")


def by_hand(workload: Workload, threads: int) -> TorchGpuByHand:
    """Return the peer with a hand-written backward pass."""
    return TorchGpuByHand(workload, threads, "cuda")
