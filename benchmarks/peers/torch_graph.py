"""PyTorch on a GPU with a whole training step in one CUDA graph, replayed for every step.

Batches, all of one size, and learning rates are on the device. The graph selects those of the next
step with a counter, which it also increments, so a step launches nothing except the replay. The
step with a hand-written backward pass has three forms: PyTorch's kernels, Inductor's kernels, and
Inductor's kernels in the graph that ``mode="reduce-overhead"`` records.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
import torch._dynamo
from torch import Tensor

from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

from .torch_best_model import BestModel, Sentences
from .torch_gpu import TorchGpuByHand
from .torch_slots_model import FusedSlotsModel
from .torch_usual import check_graphs, skipped_graphs
from .workload import Workload

STEPS_AT_A_TIME = 4096
WARM_UPS = 3


class Schedule:
    """All batches, and the batch indices and learning rates of the next steps, on the device.

    Parameters
    ----------
    workload : Workload
    model : BestModel
    """

    def __init__(self, workload: Workload, model: BestModel):
        self.workload, device = workload, model.device
        largest = max(len(batch.sentences) for batch in workload.batches)
        batches = [model.tensors(batch, [largest]) for batch in workload.batches]
        self.shapes = [part.shape for part in batches[0]]
        rows = [torch.cat([part.reshape(-1) for part in batch]) for batch in batches]
        self.batches = torch.stack(rows)  # one batch per row, so that one launch selects it
        self.order = torch.zeros(STEPS_AT_A_TIME, dtype=torch.long, device=device)
        self.rates = torch.zeros(STEPS_AT_A_TIME, device=device)
        self.counter = torch.zeros(1, dtype=torch.long, device=device)

    def next_batch(self) -> tuple[Sentences, Tensor]:
        """Return the batch and the corrected rate of the next step, and increment the counter."""
        row = self.batches.index_select(0, self.order.index_select(0, self.counter))[0]
        rate = self.rates.index_select(0, self.counter)[0]
        self.counter += 1
        parts = zip(row.split([shape.numel() for shape in self.shapes]), self.shapes, strict=True)
        return Sentences(*(part.view(shape) for part, shape in parts)), rate

    def fill(self, steps: range) -> None:
        """Copy the batch indices and rates of at most `STEPS_AT_A_TIME` steps to the device."""
        recipe = self.workload.recipe
        order = torch.tensor([self.workload.batch_of(step) for step in steps])
        rates = torch.tensor([corrected_rate(recipe.learning_rate, step) for step in steps])
        self.order[: len(steps)] = order.to(self.order.device)
        self.rates[: len(steps)] = rates.to(self.order.device)
        self.counter.zero_()


def recorded(step: Callable[[], None]) -> Callable[[], None]:
    """Run a step `WARM_UPS` times, to load and compile its kernels, and record it in a graph.

    Returns
    -------
    replay : callable
        Launches the graph.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(WARM_UPS):
            step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


class TorchRecorded(TorchGpuByHand):
    """`TorchGpuByHand` in a CUDA graph; see `TorchBest`."""

    def __init__(self, workload: Workload, threads: int, device: str):
        super().__init__(workload, threads, device)
        self.schedule = Schedule(workload, self.model)

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        super().start(clip_norm, noise_deviation)
        state = [self.theta, self.adam.m, self.adam.v, self.total_loss]
        self.schedule.counter.zero_()
        before = [tensor.clone() for tensor in state]
        self.replay = self.recorded_step()
        for tensor, saved in zip(state, before, strict=True):
            tensor.copy_(saved)

    def recorded_step(self) -> Callable[[], None]:
        """Return a function that runs the next step."""
        return recorded(self.step)

    @torch.no_grad()
    def step(self) -> None:
        """Run the next step."""
        batch, rate = self.schedule.next_batch()
        self.make_gradient(batch)
        self.adam.update_at(rate)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        self.schedule.fill(steps)
        for _ in steps:
            self.replay()


class TorchCompiledRecorded(TorchRecorded):
    """`TorchRecorded` with Inductor's kernels.

    The update is written in plain operations, which Inductor fuses into one kernel, noise included,
    and one more for the norms. Values that change between calls of `start` are tensors; as
    constants they would cause a recompilation.
    """

    model_class = FusedSlotsModel
    options: ClassVar = {"force_pointwise_cat": True}  # else every gradient is copied on its own

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        sizes, device = torch.tensor(self.model.sizes), self.model.device
        first, column = (sizes.cumsum(0) - sizes)[:, None], torch.arange(sizes.max())
        # Each section as one row of a table, padded to the longest section.
        self.in_section = (column < sizes[:, None]).float().reshape(-1).to(device)
        self.padded_sections = (first + column).clamp(max=sizes.sum() - 1).reshape(-1).to(device)
        super().start(clip_norm, noise_deviation)

    def recorded_step(self) -> Callable[[], None]:
        """Return a function that runs the next step."""
        return recorded(self.compiled_step())

    def compiled_step(self) -> Callable[[], None]:
        """Return the step, compiled."""
        return torch.compile(self.step, options=self.options, dynamic=False, fullgraph=True)

    @torch.no_grad()
    def step(self) -> None:
        """Run the next step."""
        batch, rate = self.schedule.next_batch()
        entropy, gradients = self.model.entropy_and_gradient(self.model.split(self.theta), batch)
        self.total_loss += self.with_penalty(entropy)
        adam, s = self.adam, self.workload.recipe
        g = torch.cat([gradient.reshape(-1) for gradient in gradients]) * adam.not_nil
        g = g + s.l2_lambda * self.theta
        squares = g.index_select(0, self.padded_sections).square() * self.in_section
        norms = squares.view(len(self.model.names), -1).sum(dim=1).sqrt()
        scales = adam.bound / norms.clamp(min=adam.bound)
        noise = torch.randn_like(g) * adam.not_nil
        g = g * scales.index_select(0, adam.section_of.clamp(max=len(norms) - 1))
        g = g + adam.spread * noise
        adam.m.lerp_(g, 1 - BETA_1)
        adam.v.lerp_(g * g, 1 - BETA_2)
        self.theta.sub_(rate * adam.m / (adam.v.sqrt() + s.epsilon))


class TorchAutotuned(TorchCompiledRecorded):
    """`TorchCompiledRecorded` with Triton's matrix products where they are faster than cuBLAS's."""

    options: ClassVar = {**TorchCompiledRecorded.options, "max_autotune_gemm": True}


class TorchReduceOverhead(TorchCompiledRecorded):
    """`TorchCompiledRecorded`, recorded by the compiler as with ``mode="reduce-overhead"``."""

    options: ClassVar = {**TorchCompiledRecorded.options, "triton.cudagraphs": True}

    def recorded_step(self) -> Callable[[], None]:
        """Return a function that runs the next step."""
        for owner in (self, self.schedule, self.adam, self.model):
            for value in vars(owner).values():
                if isinstance(value, Tensor):  # inputs changed in place would prevent a graph
                    torch._dynamo.mark_static_address(value)
        step, skipped = self.compiled_step(), skipped_graphs()
        for _ in range(WARM_UPS):
            step()
        check_graphs(skipped)
        return step


def by_hand(workload: Workload, threads: int) -> TorchRecorded:
    """Return the peer with PyTorch's kernels."""
    return TorchRecorded(workload, threads, "cuda")


def compiled(workload: Workload, threads: int) -> TorchCompiledRecorded:
    """Return the peer with compiled kernels."""
    return TorchCompiledRecorded(workload, threads, "cuda")


def autotuned(workload: Workload, threads: int) -> TorchAutotuned:
    """Return the peer with compiled kernels and tuned products."""
    return TorchAutotuned(workload, threads, "cuda")


def reduce_overhead(workload: Workload, threads: int) -> TorchReduceOverhead:
    """Return the peer whose graph is recorded by the compiler."""
    return TorchReduceOverhead(workload, threads, "cuda")
