"""Compare the training speed of the language model in kvnet and PyTorch, timed in turns.

Every peer runs the published step: the hops, the loss over the whole vocabulary, clipping of the
gradient's global norm, plain gradient descent.

    python benchmarks/language_model_speed.py
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

import numpy
from threadpoolctl import threadpool_limits

from kvnet import LanguageModelRecipe
from kvnet.cli.arguments import ArgumentParser, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.text import Text, TextData
from kvnet.data.vocabulary import Vocabulary
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.kernels import kernel_threads
from kvnet.training.fused_steps import steps_for
from kvnet.training.trainer import Trainer

VOCABULARY, WORDS = 10_000, 200_000
SEED, CHECKED_STEPS, TOLERANCE = 0, 2, 1e-4
LARGE = 1500  # rows and columns
PEERS = (
    "kvnet",
    "eager dense",
    "eager sparse",
    "compiled dense",
)  # torch.compile does not support sparse gradients (2.13)


def random_ids() -> numpy.ndarray:
    """Return the word ids of a text with the frequencies of a language.

    The n-th word is 1/n as frequent as the first one.
    """
    rng = numpy.random.default_rng(SEED)
    share = 1 / numpy.arange(1, VOCABULARY + 1)
    return rng.choice(VOCABULARY, size=WORDS, p=share / share.sum()).astype("int32")


class TorchPeer:
    """The same training in PyTorch, from the same weights, on the same batches.

    Parameters
    ----------
    trainer : Trainer
        kvnet's, whose weights and batches are copied.
    ids : (N,) int32 array
        The word ids of the text.
    sparse : bool
        Whether embedding gradients have only the rows of the batch's words.
    compiled : bool
        Whether the loss is compiled.
    """

    def __init__(self, trainer: Trainer, ids: numpy.ndarray, sparse: bool, compiled: bool):
        import torch

        self.torch, self.recipe, self.sparse = torch, trainer.recipe, sparse
        self.batches = trainer.batches
        self.ids = torch.as_tensor(ids, dtype=torch.int64)
        self.before = torch.arange(1, trainer.recipe.memory_size + 1)
        self.params = {
            name: torch.tensor(theta, requires_grad=True)
            for name, theta in trainer.model.params.items()
        }
        self.loss = torch.compile(self._loss) if compiled else self._loss
        self.step = 0

    def _loss(self, context, target):
        f, p, r = self.torch.nn.functional, self.params, self.recipe
        keys = f.embedding(context, p["A"], sparse=self.sparse) + p["TA"]  # (B, M, E)
        values = f.embedding(context, p["B"], sparse=self.sparse) + p["TB"]
        u = self.torch.full((len(target), r.embedding_size), r.initial_query)
        for _ in range(r.hops):
            attention = self.torch.softmax(self.torch.bmm(keys, u[:, :, None])[:, :, 0], dim=1)
            o = self.torch.bmm(attention[:, None], values)[:, 0]
            d = u @ p["C"] + o
            u = self.torch.cat([d[:, : r.linear_size], f.relu(d[:, r.linear_size :])], dim=1)
        return f.cross_entropy(u @ p["W"].T, target, reduction="sum")

    def train(self, count: int) -> None:
        """Run `count` steps."""
        for _ in range(count):
            self._step()

    def _step(self):
        rows = self.torch.from_numpy(self.batches.next_rows(self.step, 1)[0])
        context, target = self.ids[rows[:, None] - self.before], self.ids[rows]
        loss = self.loss(context, target)
        gradients = self.torch.autograd.grad(loss, list(self.params.values()))
        with self.torch.no_grad():
            gradients = [g.coalesce() if g.is_sparse else g for g in gradients]
            values = [g.values() if g.is_sparse else g for g in gradients]
            norm = self.torch.stack([v.square().sum() for v in values]).sum().sqrt()
            bound = self.recipe.max_grad_norm
            rate = self.recipe.learning_rate * float(bound / norm.clamp(min=bound))
            for theta, gradient in zip(self.params.values(), gradients, strict=True):
                theta.add_(gradient, alpha=-rate)
        self.step += 1

    def parameters(self) -> dict[str, numpy.ndarray]:
        """Return the weights by name."""
        return {name: theta.detach().numpy() for name, theta in self.params.items()}


class KvnetPeer:
    """kvnet's training; see `TorchPeer`."""

    def __init__(self, trainer: Trainer):
        self.params = trainer.model.params
        self.train = steps_for([trainer]).train

    def parameters(self) -> dict[str, numpy.ndarray]:
        """Return the weights by name."""
        return self.params


def new_peer(name: str, recipe: LanguageModelRecipe, ids: numpy.ndarray):
    """Return a peer with the starting weights."""
    words = (f"w{word_id:05}" for word_id in range(VOCABULARY))
    data = TextData(Vocabulary(words, nil=False), Text(ids, recipe.memory_size, VOCABULARY))
    model = recipe.new_model(data, SEED, "numpy", "auto")
    trainer = Trainer(model, data.training, recipe, SEED)
    if name == "kvnet":
        return KvnetPeer(trainer)
    return TorchPeer(trainer, ids, "sparse" in name, "compiled" in name)


def check(recipe: LanguageModelRecipe, ids: numpy.ndarray) -> None:
    """Check that all peers make the same updates.

    Raises
    ------
    InputError
        If a peer does not; the message names it and the parameter.
    """
    expected, start = None, None
    for name in PEERS:
        peer = new_peer(name, recipe, ids)
        if start is None:
            start = {key: theta.copy() for key, theta in peer.parameters().items()}
        peer.train(CHECKED_STEPS)
        found = peer.parameters()
        expected = expected or found
        for key, theta in start.items():
            change = expected[key] - theta
            error = numpy.linalg.norm(found[key] - expected[key]) / numpy.linalg.norm(change)
            if not error <= TOLERANCE:
                raise InputError(
                    f"{name}: the update of {key} differs from kvnet's by a relative error of "
                    f"{error:.1e}"
                )


def seconds_per_step(train: Callable[[int], object], steps: int) -> float:
    """Return the mean time of a step over `steps` steps."""
    began = time.perf_counter()
    train(steps)
    return (time.perf_counter() - began) / steps


def dense_operations(recipe: LanguageModelRecipe) -> int:
    """Return the multiplications and additions of a step's dense products, forward and backward."""
    B, E = recipe.batch_size, recipe.embedding_size
    return 3 * 2 * B * E * (VOCABULARY + recipe.hops * E)


def sgemm_rate(threads: int) -> float:
    """Return the operations per second of one large product: the peak of the machine."""
    rng = numpy.random.default_rng(SEED)
    x = rng.random((LARGE, LARGE), "float32")
    with threadpool_limits(threads, user_api="blas"):
        x @ x
        return 2 * LARGE**3 / seconds_per_step(lambda count: [x @ x for _ in range(count)], 3)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = ArgumentParser(prog="language_model_speed.py", description=__doc__.splitlines()[0])
    parser.add_argument("--nhop", type=whole_number(1), default=3, help="number of hops (3)")
    parser.add_argument(
        "--threads", type=whole_number(1), default=2, help="threads of every peer (2)"
    )
    parser.add_argument("--rounds", type=whole_number(1), default=7, help="timed rounds (7)")
    parser.add_argument("--steps", type=whole_number(1), default=20, help="steps per round (20)")
    parser.add_argument("--json", metavar="FILE", help="file to write the figures to")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _run(arguments) -> int:
    import torch

    torch.set_num_threads(arguments.threads)
    recipe, ids = LanguageModelRecipe(hops=arguments.nhop), random_ids()
    load = os.getloadavg()[0]
    with kernel_threads(arguments.threads):
        check(recipe, ids)
        peers = {name: new_peer(name, recipe, ids) for name in PEERS}
        times = {name: [] for name in PEERS}
        for peer in peers.values():
            seconds_per_step(peer.train, 5)  # compiles, and fills the caches
        for _ in range(arguments.rounds):
            for name, peer in peers.items():
                times[name].append(seconds_per_step(peer.train, arguments.steps))
        peaks = [sgemm_rate(arguments.threads) for _ in range(arguments.rounds)]
    rates = {name: recipe.batch_size / median(seconds) for name, seconds in times.items()}
    for name, rate in rates.items():
        spread = [recipe.batch_size / t for t in (max(times[name]), min(times[name]))]
        print(
            f"{name:15} {rate:8,.0f} words/s ({spread[0]:,.0f} to {spread[1]:,.0f}), speed-up of "
            f"kvnet {rates['kvnet'] / rate:.2f} x"
        )
    operations, peak = dense_operations(recipe), median(peaks)
    share = operations / median(times["kvnet"]) / peak
    print(
        f"dense products, {operations / 1e9:.2f} G operations per step: kvnet reaches {share:.0%} "
        f"of the {peak / 1e9:.0f} G operations/s of a large sgemm"
    )
    if arguments.json:
        content = {
            "sgemm_operations_a_second": peaks,
            "load_before": load,
            "torch": torch.__version__,
            "seconds_a_step": times,
        }
        content |= {"threads": arguments.threads, "nhop": arguments.nhop, "words_a_second": rates}
        write_atomically(arguments.json, (json.dumps(content, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
