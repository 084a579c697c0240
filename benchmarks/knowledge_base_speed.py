r"""Compare training and answering from a knowledge base in kvnet and PyTorch, timed in turns.

Both take the same steps from the same weights, after a start in which the network has learned what
to read: at first it reads nearly everything. The PyTorch form has flat arrays, no padding, and
sparse gradients.

    python benchmarks/knowledge_base_speed.py --metaqa ../shared/data/metaqa --hops 2 \
        --training-file 2-hop.txt
"""

import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy

from kvnet.cli.arguments import ArgumentParser, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.fact_data import FactData, encode_facts
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import read_questions
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.kernels import kernel_threads
from kvnet.training.fused_steps import steps_for
from kvnet.training.recipes.facts import FACT_PRESETS
from kvnet.training.trainer import Trainer

SEED, CHECKED_STEPS, TOLERANCE = 0, 3, 2e-3
QUESTIONS = 500  # that are answered together


class KvnetFacts:
    """kvnet's training and answers; see `TorchFacts`."""

    def __init__(self, trainer: Trainer):
        self.trainer, self.train = trainer, steps_for([trainer]).train
        self.predict = trainer.model.predict

    def parameters(self) -> dict[str, numpy.ndarray]:
        """Return the weights by name."""
        return self.trainer.model.params


def load(arguments) -> FactData:
    """Return MetaQA's base, with the training questions and the dev questions."""
    folder = Path(arguments.metaqa)
    base = KnowledgeBase.read(folder / "kb.txt", say=lambda line: None)
    hops = arguments.hops
    path = arguments.training_file or folder / f"{hops}-hop/qa_train.txt"
    dev = folder / f"{hops}-hop/qa_dev.txt"
    files = {"training": path, "validation": dev}
    splits = {
        name: read_questions(file, base, hops, say=lambda line: None)
        for name, file in files.items()
    }
    return encode_facts(base, splits)


def check(peers: dict, data: FactData) -> None:
    """Check that both forms make the same updates and give the same answers.

    Raises
    ------
    InputError
        If they do not.
    """
    first = {name: theta.copy() for name, theta in peers["kvnet"].parameters().items()}
    for peer in peers.values():
        peer.train(CHECKED_STEPS)
    ours, theirs = (peers[name].parameters() for name in ("kvnet", "eager"))
    for name, theta in first.items():
        change = numpy.linalg.norm(ours[name] - theta)
        error = numpy.linalg.norm(ours[name] - theirs[name]) / max(change, 1e-9)
        if not error <= TOLERANCE:
            raise InputError(f"the update of {name} differs by a relative error of {error:.1e}")
    batch = data.validation.batch(numpy.arange(QUESTIONS))
    right = [
        set(batch.answers[first:stop].tolist()) for first, stop in pairwise(batch.answer_starts)
    ]
    shares = [
        numpy.mean([entity in of for entity, of in zip(peer.predict(batch), right, strict=True)])
        for peer in peers.values()
    ]
    if abs(shares[0] - shares[1]) > 0.01:  # which of several right answers is best is rounding
        raise InputError(f"the shares of right answers differ: {shares}")


def seconds(function, *arguments) -> float:
    """Return the time of a call."""
    began = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - began


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = ArgumentParser(prog="knowledge_base_speed.py", description=__doc__.splitlines()[0])
    parser.add_argument("--metaqa", required=True, metavar="DIR", help="MetaQA's folder")
    parser.add_argument("--hops", type=whole_number(1, 3), default=1, help="of the questions (1)")
    parser.add_argument("--training-file", metavar="FILE", help="questions, if not in the folder")
    parser.add_argument("--preset", choices=FACT_PRESETS, default="kv-chain")
    parser.add_argument("--threads", type=whole_number(1), default=2, help="of both (2)")
    parser.add_argument("--start", type=whole_number(1), default=1500, help="untimed steps (1500)")
    parser.add_argument("--rounds", type=whole_number(1), default=5, help="timed rounds (5)")
    parser.add_argument("--steps", type=whole_number(1), default=40, help="steps per round (40)")
    parser.add_argument("--json", metavar="FILE", help="file to write the figures to")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _run(arguments) -> int:
    import torch
    from peers.torch_facts import TorchFacts

    torch.set_num_threads(arguments.threads)
    data, recipe, hops = load(arguments), FACT_PRESETS[arguments.preset], arguments.hops
    if arguments.preset == "kv-published":
        recipe = replace(recipe, hops=max(2, hops), memory_steps=hops)
    load_before = os.getloadavg()[0]
    with kernel_threads(arguments.threads):
        model = recipe.new_model(data, SEED, "numpy", "auto")
        trainer = Trainer(model, data.training, recipe, SEED)
        steps_for([trainer]).train(arguments.start)
        peers = {"kvnet": KvnetFacts(trainer), "eager": TorchFacts(trainer)}
        check(peers, data)
        parts = [
            data.validation.batch(numpy.arange(n, n + QUESTIONS))
            for n in range(0, len(data.validation) - QUESTIONS, QUESTIONS)
        ]
        times = {name: {"training": [], "answering": []} for name in peers}
        for _ in range(arguments.rounds):
            for name, peer in peers.items():
                times[name]["training"].append(seconds(peer.train, arguments.steps))
                times[name]["answering"].append(
                    seconds(lambda peer=peer: [peer.predict(batch) for batch in parts])
                )
    questions = {
        "training": arguments.steps * recipe.batch_size,
        "answering": len(parts) * QUESTIONS,
    }
    print(f"{arguments.preset}, {hops} hops, {arguments.threads} threads")
    for what, count in questions.items():
        rates = {name: count / median(of[what]) for name, of in times.items()}
        print(
            f"{what}: kvnet {rates['kvnet']:,.0f} questions/s, PyTorch eager "
            f"{rates['eager']:,.0f}, {rates['kvnet'] / rates['eager']:.1f} x"
        )
    if arguments.json:
        content = {
            "preset": arguments.preset,
            "hops": hops,
            "threads": arguments.threads,
            "load_before": load_before,
            "torch": torch.__version__,
            "questions": questions,
            "seconds": times,
        }
        write_atomically(arguments.json, (json.dumps(content, indent=1) + "\n").encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
