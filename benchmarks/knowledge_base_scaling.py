"""Measure what a knowledge base costs against its size: loading, memory, training, a question.

The bases are random: three facts per entity, 9 relations, so that a question reads as many facts in
a large base as in a small one. One network is trained on the smallest base and answers from all.

    python benchmarks/knowledge_base_scaling.py --json scaling.json --plot scaling.png
"""

import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import numpy

from kvnet.cli.arguments import ArgumentParser, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.fact_data import FactData, FactDataset, encode_facts
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.templates import questions_of_templates, templates_of
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.kernels import kernel_threads
from kvnet.training.fused_steps import steps_for
from kvnet.training.recipes.facts import FACT_PRESETS
from kvnet.training.trainer import Trainer

RELATIONS, FACTS_PER_ENTITY = 9, 3
LARGEST_READ = 10**6  # facts: a larger base is only indexed and asked
QUESTIONS = 4000
MEASURES = {
    "read_seconds": "read from a file (s)",
    "index_seconds": "index (s)",
    "step_seconds": "training step of 64 questions (s)",
    "question_seconds": "a question, median (s)",
}


def random_arrays(facts: int) -> tuple[list[str], list[str], numpy.ndarray]:
    """Return the entities, the relations and the facts of a random base."""
    rng, count = numpy.random.default_rng(0), facts // FACTS_PER_ENTITY
    columns = rng.integers(0, count, facts), rng.integers(0, RELATIONS, facts)
    rows = numpy.stack([*columns, rng.integers(0, count, facts)], axis=1).astype("int32")
    return [f"entity {n}" for n in range(count)], [f"r{r}" for r in range(RELATIONS)], rows


def sentences() -> dict[str, list[str]]:
    """Return a sentence per relation, and per pair of relations."""
    names = [f"r{r}" for r in range(RELATIONS)]
    single = {name: [f"{name} of []"] for name in names}
    return single | {f"{a}/{b}": [f"second {b} after {a} of []"] for a in names for b in names}


def seconds(function: Callable, *arguments):
    """Return the result of a call, and its time."""
    began = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - began


def questions_about(base: KnowledgeBase):
    """Return training questions about a base."""
    made = questions_of_templates(base, templates_of(sentences(), base), QUESTIONS, random_state=0)
    return made["training"]


def step_seconds(trainer: Trainer, rounds: int = 20) -> float:
    """Return the median time of a training step."""
    steps = steps_for([trainer])
    return median(seconds(steps.train, 1)[1] for _ in range(rounds))


def question_seconds(model, base: KnowledgeBase, vocabulary, texts, count: int = 300) -> dict:
    """Return the median time of a question, and the facts that it reads on average."""
    rng = numpy.random.default_rng(1)
    times, read = [], 0
    for _ in range(count):
        words = numpy.array(vocabulary.ids(texts[rng.integers(len(texts))], "question"))
        asked = int(rng.integers(len(base.entities)))
        reading, took = seconds(model.read, base, words, asked)
        times.append(took)
        read += sum(len(weights) for _, _, weights in reading.hops)
    return {"question_seconds": median(times[20:]), "facts_read": read / count}


def measure(facts: int, trained) -> dict:
    """Return the measures of a base of some size, given the trainer of the smallest base."""
    names, relations, rows = random_arrays(facts)
    base, index_seconds = seconds(KnowledgeBase, names, relations, rows)
    record = {
        "facts": len(base),
        "index_seconds": index_seconds,
        "bytes_per_fact": base.nbytes / len(base),
    }
    vocabulary, texts = trained.vocabulary, trained.training.questions.texts
    record |= question_seconds(trained.model, base, vocabulary, texts)
    if facts <= LARGEST_READ:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "base.tsv"
            lines = ("\t".join((names[s], relations[r], names[o])) for s, r, o in rows)
            path.write_text("\n".join(lines) + "\n")
            _, record["read_seconds"] = seconds(KnowledgeBase.read, path, False, False, _ignore)
        dataset = FactDataset(base, questions_about(base), vocabulary)
        model = copy.copy(trained.model)
        model.set_theta(model.theta.copy())
        trainer = Trainer(model, dataset, trained.recipe, 0)
        record["step_seconds"] = step_seconds(trainer)
    return record


class Trained:
    """The network that is trained on the smallest base.

    Attributes
    ----------
    model, vocabulary, training, recipe
    """

    def __init__(self, facts: int, steps: int):
        base = KnowledgeBase(*random_arrays(facts))
        data: FactData = encode_facts(base, {"training": questions_about(base)})
        self.recipe = FACT_PRESETS["kv-chain"]
        self.model = self.recipe.new_model(data, 0, "numpy", "auto")
        trainer = Trainer(self.model, data.training, self.recipe, 0)
        trainer.optimizer.steps = steps
        steps_for([trainer]).train(steps)
        self.vocabulary, self.training = data.vocabulary, data.training


def _ignore(line: str) -> None:
    pass


def plot(records: list[dict], path: str) -> None:
    """Draw each measure against the number of facts, on logarithmic axes."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise InputError(
            "--plot needs matplotlib, which is not installed; pip install -e '.[plot]'"
        ) from None
    figure, axis = pyplot.subplots(figsize=(6.4, 4.4), layout="constrained")
    for name, label in MEASURES.items():
        points = [(record["facts"], record[name]) for record in records if name in record]
        axis.plot(*zip(*points, strict=True), marker="o", label=label)
    axis.set(xscale="log", yscale="log", xlabel="facts", ylabel="seconds")
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = ArgumentParser(prog="knowledge_base_scaling.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--facts",
        type=whole_number(1000),
        nargs="+",
        default=[10**4, 10**5, 10**6, 10**7],
        help="sizes of the bases (10^4 to 10^7)",
    )
    parser.add_argument("--threads", type=whole_number(1), default=2, help="threads (2)")
    parser.add_argument("--steps", type=whole_number(1), default=2000, help="of training (2000)")
    parser.add_argument("--json", metavar="FILE", help="file to write the figures to")
    parser.add_argument("--plot", metavar="FILE", help="PNG file to draw the figures in")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _run(arguments) -> int:
    records = []
    with kernel_threads(arguments.threads):
        trained = Trained(min(arguments.facts), arguments.steps)
        for facts in sorted(arguments.facts):
            records.append(measure(facts, trained))
            print("  ".join(f"{name} {value:.4g}" for name, value in records[-1].items()))
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(records, indent=1) + "\n").encode())
    if arguments.plot:
        plot(records, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
