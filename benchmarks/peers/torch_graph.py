"""PyTorch on a GPU with a whole training step in one CUDA graph, replayed for every step.

Batches, all of one size, and the steps' rates are on the device, and the graph takes the next of
each by a counter that it moves on itself: nothing but the replay is launched for a step. Two forms:
`torch_by_hand`, and `torch_best_compiled`'s function as Inductor compiles it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from kvnet.training.noisy_adam import BETA_1, BETA_2, corrected_rate

from .torch_best import FlatNoisyAdam
from .torch_best_compiled import TorchBestCompiled
from .torch_best_model import BestModel, Sentences
from .torch_by_hand import TorchByHand
from .workload import Workload

STEPS_AT_A_TIME = 4096
WARM_UPS = 3


class Schedule:
    """What the coming steps take, on the device, and the recorded step.

    Parameters
    ----------
    workload : Workload
    model : BestModel
    """

    def __init__(self, workload: Workload, model: BestModel):
        self.workload, device = workload, model.device
        largest = max(len(batch.sentences) for batch in workload.batches)
        batches = [model.tensors(batch, [largest]) for batch in workload.batches]
        self.batches = Sentences(*(torch.stack(part) for part in zip(*batches, strict=True)))
        self.order = torch.zeros(STEPS_AT_A_TIME, dtype=torch.long, device=device)
        self.rates = torch.zeros(STEPS_AT_A_TIME, device=device)
        self.counter = torch.zeros(1, dtype=torch.long, device=device)

    def next_batch(self) -> tuple[Sentences, Tensor]:
        """Return the next step's batch and its corrected rate, and count it."""
        place = self.order.index_select(0, self.counter)
        batch = Sentences(*(part.index_select(0, place)[0] for part in self.batches))
        rate = self.rates.index_select(0, self.counter)[0]
        self.counter += 1
        return batch, rate

    def record(self, step: Callable[[], None], state: list[Tensor]) -> None:
        """Record a step; the state is put back to what it was."""
        self.counter.zero_()
        before = [tensor.clone() for tensor in state]
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UPS):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        for tensor, held in zip(state, before, strict=True):
            tensor.copy_(held)
        self.replay = graph.replay

    def run(self, steps: range) -> None:
        """Replay steps, not more than `STEPS_AT_A_TIME`."""
        settings = self.workload.settings
        places = torch.tensor([self.workload.batch_of(step) for step in steps])
        rates = torch.tensor([corrected_rate(settings.learning_rate, step) for step in steps])
        self.order[: len(steps)] = places.to(self.order.device)
        self.rates[: len(steps)] = rates.to(self.order.device)
        self.counter.zero_()
        for _ in steps:
            self.replay()


class RecordedAdam(FlatNoisyAdam):
    """The update with its rate on the device."""

    def update_at(self, rate: Tensor, clip_norm: float, deviation: float, epsilon: float) -> None:
        """Take a step from the gradient of the entropy; nil rows stay zero."""
        g = self.gradient
        self.clear_nil_rows()
        g.add_(self.theta, alpha=self.settings.l2_lambda)
        norms = torch.stack(torch._foreach_norm(self.parts))
        torch._foreach_mul_(self.parts, (clip_norm / norms.clamp_(min=clip_norm)).unbind())
        g.add_(self.noise.normal_(), alpha=deviation)
        self.clear_nil_rows()
        self.m.lerp_(g, 1 - BETA_1)
        self.v.lerp_(g * g, 1 - BETA_2)
        self.theta.sub_(rate * self.m / self.v.sqrt().add_(epsilon))


class TorchRecorded(TorchByHand):
    """`TorchByHand` in a graph; see `TorchBest`."""

    def __init__(self, workload: Workload, threads: int, device: str):
        super().__init__(workload, threads, device)
        self.schedule = Schedule(workload, self.model)

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        super().start(clip_norm, noise_deviation)
        self.adam = RecordedAdam(self.theta, self.gradient, self.model, self.workload.settings)
        state = [self.theta, self.adam.m, self.adam.v, self.total_loss]
        self.schedule.record(self.step, state)

    @torch.no_grad()
    def step(self) -> None:
        """Take the next step."""
        batch, rate = self.schedule.next_batch()
        entropy = self.entropy_and_gradient(batch)
        self.total_loss += self.with_penalty(entropy)
        numbers = self.clip_norm, self.deviation, self.workload.settings.epsilon
        self.adam.update_at(rate, *numbers)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        self.schedule.run(steps)


class TorchCompiledRecorded(TorchBestCompiled):
    """`TorchBestCompiled`'s step in a graph, the kernels Inductor's."""

    def __init__(self, workload: Workload, threads: int, device: str):
        super().__init__(workload, threads, device)
        torch._inductor.config.cpp_wrapper = False  # which pays on the processor
        self.schedule = Schedule(workload, self.model)

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        super().start(clip_norm, noise_deviation)
        state = [self.theta, self.m, self.v, self.total_loss]
        self.schedule.record(self.next_step, state)

    @torch.no_grad()
    def next_step(self) -> None:
        """Take the next step."""
        batch, rate = self.schedule.next_batch()
        self.noise.normal_()
        vectors = (self.theta, self.m, self.v, self.noise)
        numbers = (self.total_loss, rate, self.clip_norm, self.deviation)
        self._step(*vectors, *numbers, batch)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        self.schedule.run(steps)


def by_hand(workload: Workload, threads: int) -> TorchRecorded:
    """Make the peer of PyTorch's operations."""
    return TorchRecorded(workload, threads, "cuda")


def compiled(workload: Workload, threads: int) -> TorchCompiledRecorded:
    """Make the peer of compiled kernels."""
    return TorchCompiledRecorded(workload, threads, "cuda")
