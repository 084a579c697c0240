"""PyTorch as it is usually written: padded word ids, autograd, a loop over the parameters.

The words of every slot are looked up separately, keys and values are mapped by A before the hops,
and the published update is applied tensor by tensor. If compiled, the loss is one graph forward and
one backward, and the update of all parameters is a third. With ``mode="reduce-overhead"`` the two
graphs of the loss are CUDA graphs; that of the update is not, because gradients in the memory of
one call's CUDA graph are overwritten when the next call begins.
"""

from functools import partial

import numpy
import torch
import torch._dynamo.config
import torch.nn.functional as F
from torch import Tensor
from torch._dynamo.utils import counters

from kvnet.errors import InputError
from kvnet.operations import position_encoding
from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

from .workload import Workload

torch.set_float32_matmul_precision("highest")  # no tf32 on a GPU
torch._dynamo.config.recompile_limit = 64  # beyond it a function silently runs uncompiled


class UsualModel(torch.nn.Module):
    """The Key-Value Memory Network.

    Parameters
    ----------
    workload : Workload
    """

    def __init__(self, workload: Workload):
        super().__init__()
        s, sizes = workload.recipe, workload.sizes
        self.hops, self.reader, self.l2_lambda = s.hops, s.reader, s.l2_lambda
        for name, theta in workload.starting_weights().items():
            self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(theta)))
        encoding = position_encoding(numpy, sizes.sentence_size, s.embedding_size, "float32")
        self.register_buffer("encoding", torch.from_numpy(encoding))

    def read(self, words: Tensor, table: Tensor, part: str) -> Tensor:
        """Read sentences ``(..., S)`` to ``(..., D)``."""
        x = F.embedding(words, table, padding_idx=0)  # (..., S, E)
        if self.reader == "bow":
            return (x * self.encoding).sum(dim=-2)
        rows = x.flatten(0, -3)  # (N, S, E)
        kinds = ("gate_weights", "gate_bias", "candidate_weights", "candidate_bias")
        state = gru(rows, *(getattr(self, f"{part}_{kind}") for kind in kinds))
        return state.view(*words.shape[:-1], -1)

    def forward(self, query: Tensor, memory: Tensor) -> Tensor:
        """Score every word ``(B, V)`` for questions ``(B, S)`` about memories ``(B, M, S)``."""
        readings = self.read(memory, self.W_mem, "memory")  # (B, M, D)
        keys = (readings + self.TK) @ self.A.T  # (B, M, F)
        values = (readings + self.TV) @ self.A.T
        u = self.read(query, self.W, "query") @ self.A.T  # (B, F)
        for hop in range(1, self.hops + 1):
            scores = (keys @ u.unsqueeze(2)).squeeze(2)  # (B, M)
            p = torch.softmax(scores, dim=1)
            o = (p.unsqueeze(2) * values).sum(dim=1)
            u = (u + o) @ getattr(self, f"R_{hop}").T
        return u @ self.B @ self.W_mem.T

    def loss(self, query: Tensor, memory: Tensor, answer: Tensor) -> Tensor:
        """Return the summed cross entropy and the penalty."""
        entropy = F.cross_entropy(self(query, memory), answer, reduction="sum")
        return entropy + 0.5 * self.l2_lambda * sum((p * p).sum() for p in self.parameters())


def gru(
    x: Tensor, gate_weights: Tensor, gate_bias: Tensor, candidate_weights: Tensor, bias: Tensor
) -> Tensor:
    """Run the published cell over ``(N, S, E)``; torch.nn.GRU uses other formulas."""
    h = x.new_zeros(len(x), len(bias))
    for word in x.unbind(dim=1):
        gates = torch.sigmoid(torch.cat([word, h], dim=1) @ gate_weights + gate_bias)
        r, z = gates.chunk(2, dim=1)
        c = torch.tanh(torch.cat([word, r * h], dim=1) @ candidate_weights + bias)
        h = z * h + (1 - z) * c
    return h


def update(parameters, means, squares, rate: Tensor, epsilon: float, clip_norm, deviation) -> None:
    """Apply the published update: clip each gradient, add noise, Adam; nil rows stay zero."""
    for (name, theta), m, v in zip(parameters.items(), means, squares, strict=True):
        g = theta.grad
        noise = deviation * torch.randn_like(g)
        if name in ("W", "W_mem"):
            g[0] = 0
            noise[0] = 0
        g = g * (clip_norm / g.norm().clamp(min=clip_norm)) + noise
        m.lerp_(g, 1 - BETA_1)
        v.lerp_(g * g, 1 - BETA_2)
        theta -= rate * m / (v.sqrt() + epsilon)


class TorchUsual:
    """The peer that trains `UsualModel`.

    Parameters
    ----------
    workload : Workload
    threads : int
    compile_step : bool
        Whether loss and update are compiled.
    device : str
        PyTorch device.
    mode : str, optional
        Mode of torch.compile.
    """

    def __init__(
        self,
        workload: Workload,
        threads: int,
        compile_step: bool,
        device: str = "cpu",
        mode: str | None = None,
    ):
        torch.set_num_threads(threads)
        self.workload, self.device = workload, device
        self.batches = [self.as_words(batch) for batch in workload.batches]
        self.compiled = partial(torch.compile, mode=mode) if compile_step else lambda fn: fn
        self._update = torch.compile(update) if compile_step else update

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.model = UsualModel(self.workload).to(self.device)
        self._loss = self.compiled(self.model.loss)
        self.means = [torch.zeros_like(p) for p in self.model.parameters()]
        self.squares = [torch.zeros_like(p) for p in self.model.parameters()]
        self.total_loss = torch.zeros((), device=self.device)
        scalars = (0.0, clip_norm, noise_deviation)
        self.scalars = [torch.tensor(scalar, device=self.device) for scalar in scalars]

    def warm_up(self, steps: range) -> None:
        """See `peers.Peer`."""
        self.train(steps)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        s = self.workload.recipe
        for step in steps:
            self.model.zero_grad()
            loss = self._loss(*self.batches[self.workload.batch_of(step)])
            loss.backward()
            self.total_loss += loss.detach()
            rate, *bounds = self.scalars
            # In place: a new tensor would synchronise with the GPU.
            rate.fill_(corrected_rate(s.learning_rate, step))
            parameters = dict(self.model.named_parameters())
            with torch.no_grad():
                self._update(parameters, self.means, self.squares, rate, s.epsilon, *bounds)

    def loss(self, step: int) -> float:
        """See `peers.Peer`."""
        with torch.no_grad():  # else a CUDA graph would expect a backward pass
            return self._loss(*self.batches[self.workload.batch_of(step)]).item()

    def parameters(self) -> dict[str, numpy.ndarray]:
        """See `peers.Peer`."""
        return {name: p.detach().cpu().numpy().copy() for name, p in self.model.named_parameters()}

    def prepare_test(self, batch_size: int) -> None:
        """See `peers.Peer`."""
        self.test_batches = [self.as_words(b) for b in self.workload.test_batches(batch_size)]
        self._scores = self.compiled(self.model)
        self.predict()

    def predict(self) -> numpy.ndarray:
        """See `peers.Peer`."""
        with torch.inference_mode():
            answers = [self._scores(q, memory).argmax(dim=1) for q, memory, _ in self.test_batches]
        return torch.cat(answers).cpu().numpy()[: len(self.workload.data.testing.dataset)]

    def as_words(self, batch) -> tuple[Tensor, Tensor, Tensor]:
        """Return query (B, S), memory (B, M, S) and answers (B,) of a batch as word ids."""
        arrays = batch.query, batch.sentences[batch.keys], batch.answer
        return tuple(torch.from_numpy(array).long().to(self.device) for array in arrays)


class TorchUsualReduced(TorchUsual):
    """The peer that checks that CUDA graphs were made."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self._skipped = skipped_graphs()

    def warm_up(self, steps: range) -> None:
        """See `peers.Peer`; raise `InputError` if no graph was made."""
        super().warm_up(steps)
        check_graphs(self._skipped)


def skipped_graphs() -> int:
    """Return how often the compiler failed to make a requested CUDA graph."""
    return counters["inductor"]["cudagraph_skips"]


def check_graphs(skipped_before: int) -> None:
    """Raise an error if the compiler has failed to make a CUDA graph.

    Parameters
    ----------
    skipped_before : int
        Result of `skipped_graphs` before the compilation.

    Raises
    ------
    InputError
        If `skipped_graphs` has increased.
    """
    if skipped_graphs() > skipped_before:
        raise InputError("torch.compile made no CUDA graph; TORCH_LOGS=cudagraphs shows why")


def eager(workload: Workload, threads: int) -> TorchUsual:
    """Return the eager peer."""
    return TorchUsual(workload, threads, compile_step=False)


def compiled(workload: Workload, threads: int) -> TorchUsual:
    """Return the peer whose loss and update are compiled by torch.compile."""
    return TorchUsual(workload, threads, compile_step=True)


def eager_on_gpu(workload: Workload, threads: int) -> TorchUsual:
    """Return the eager peer on a GPU."""
    return TorchUsual(workload, threads, compile_step=False, device="cuda")


def reduce_overhead(workload: Workload, threads: int) -> TorchUsual:
    """Return the peer whose loss torch.compile makes one CUDA graph forward and one backward."""
    return TorchUsualReduced(workload, threads, True, "cuda", mode="reduce-overhead")
