"""Measure what a new base needs: hits@1 against templates and questions.

The base is the invented world of ``train_kb.py``. The last sentence of each chain of relations is
never trained on. Questions of the other sentences are also asked inside frames that are never
trained on, such as "could you tell me who directed []".

    python benchmarks/knowledge_base_templates.py --json templates.json --plot templates.png
"""

import json
import sys
from collections.abc import Sequence
from itertools import product

import numpy

from kvnet.cli.arguments import ArgumentParser, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.fact_data import FactDataset, encode_facts
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.made_world import SENTENCES, made_world
from kvnet.data.templates import questions_of_templates, templates_of
from kvnet.errors import InputError
from kvnet.files.atomic_file import write_atomically
from kvnet.kernels import kernel_threads
from kvnet.training.fact_scores import fact_scores
from kvnet.training.fused_steps import steps_for
from kvnet.training.recipes.enough_steps import with_enough_steps
from kvnet.training.recipes.facts import FACT_PRESETS
from kvnet.training.trainer import Trainer

FRAMES = ("{}", "please say {}", "do you know {}", "i want to know {}", "{} please")
NEW_FRAMES = ("could you tell me {}", "so {} then", "my question is {}")
TEMPLATES, QUESTIONS = (1, 3, 10), (100, 300, 1000, 3000, 10_000)


def training_sentences(count: int) -> dict[str, list[str]]:
    """Return up to `count` sentences per chain: all but its last one, in frames."""
    return {
        chain: [frame.format(text) for frame, text in product(FRAMES, sentences[:-1])][:count]
        for chain, sentences in SENTENCES.items()
    }


def new_frames(count: int) -> dict[str, list[str]]:
    """Return sentences that are trained on, in frames that are not."""
    return {
        chain: [frame.format(text) for frame in NEW_FRAMES for text in texts[:-1][:count]]
        for chain, texts in SENTENCES.items()
    }


def asked(base: KnowledgeBase, sentences: dict, most: int, split: str):
    """Return questions of some sentences about the entities of a split."""
    chains = {chain: texts for chain, texts in sentences.items() if texts}
    made = questions_of_templates(base, templates_of(chains, base), most, 0, lambda line: None)
    return made[split]


def train(base: KnowledgeBase, questions, random_state: int):
    """Train the default network; return it and its vocabulary."""
    data = encode_facts(base, {"training": questions})
    recipe = with_enough_steps(FACT_PRESETS["kv-chain"], len(questions))
    trainer = Trainer(
        recipe.new_model(data, random_state, "numpy", "auto"), data.training, recipe, random_state
    )
    steps_for([trainer]).train(trainer.steps)
    return trainer.model, data.vocabulary


def hits(model, vocabulary, base: KnowledgeBase, questions) -> float:
    """Return hits@1."""
    return float(fact_scores(model, FactDataset(base, questions, vocabulary)).hits1.mean())


def curve(random_states: Sequence[int]) -> list[dict]:
    """Train on each number of templates and questions; return hits@1 of each."""
    base, records = made_world(), []
    for count, most, random_state in product(TEMPLATES, QUESTIONS, random_states):
        sentences = training_sentences(count)
        model, vocabulary = train(base, asked(base, sentences, most, "training"), random_state)
        test = asked(base, sentences, 20_000, "testing")
        record = {"templates": count, "questions": most, "random_state": random_state}
        for hops in (1, 2, 3):
            rows = numpy.flatnonzero(test.hops == hops)
            record[f"hits1_{hops}"] = hits(model, vocabulary, base, test.select(rows))
        last = {chain: texts[-1:] for chain, texts in SENTENCES.items()}
        for name, new in (("new_frames", new_frames(count)), ("new_sentence", last)):
            questions = asked(base, new, 20_000, "testing")
            record[name] = hits(model, vocabulary, base, questions)
        records.append(record)
        print(json.dumps(record), flush=True)
    return records


def plot(records: list[dict], path: str) -> None:
    """Draw hits@1 against the number of questions, a line per number of templates."""
    try:
        from matplotlib import pyplot
    except ImportError:
        raise InputError(
            "--plot needs matplotlib, which is not installed; pip install -e '.[plot]'"
        ) from None
    panels = {"hits1_1": "1 hop", "hits1_2": "2 hops", "hits1_3": "3 hops"}
    panels |= {"new_frames": "new frames", "new_sentence": "new sentence"}
    figure, axes = pyplot.subplots(
        1, len(panels), figsize=(13, 3), sharey=True, layout="constrained"
    )
    for axis, (name, label) in zip(axes, panels.items(), strict=True):
        for count in TEMPLATES:
            means = [
                numpy.mean(
                    [r[name] for r in records if (r["templates"], r["questions"]) == (count, most)]
                )
                for most in QUESTIONS
            ]
            axis.plot(QUESTIONS, means, marker="o", label=f"{count} templates a chain")
        axis.set(xscale="log", xlabel="training questions", title=label, ylim=(0, 1.02))
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("hits@1")
    axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command."""
    parser = ArgumentParser(prog="knowledge_base_templates.py", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=whole_number(1), default=1, help="seeds, from 0 on (1)")
    parser.add_argument("--threads", type=whole_number(1), default=2, help="threads (2)")
    parser.add_argument("--json", metavar="FILE", help="file to write the figures to")
    parser.add_argument("--plot", metavar="FILE", help="PNG file to draw the curve in")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _run(arguments) -> int:
    with kernel_threads(arguments.threads):
        records = curve(range(arguments.seeds))
    if arguments.json:
        write_atomically(arguments.json, (json.dumps(records, indent=1) + "\n").encode())
    if arguments.plot:
        plot(records, arguments.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
