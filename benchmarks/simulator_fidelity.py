"""Measure how close the simulator's stories are to the released bAbI files.

For each task the program compares generated questions with the released ones (train and test
together). For every measure it prints both values, their distance and the allowed distance, which
is the larger of two numbers: the distance between the released train and test files, and two
standard errors. It also prints the accuracy of `solve` on released and generated stories, and the
questions per second of `generate`.

    python benchmarks/simulator_fidelity.py --data-dir tasks_1-20_v1-2/en
"""

import argparse
import json
import re
import time
from collections import Counter
from operator import itemgetter
from pathlib import Path

import numpy as np

from kvnet.data.babi_format import TASK_NAMES, file_name, read_stories
from kvnet.data.simulator import generate, solve
from kvnet.data.simulator.exact_solver import parse_event, parse_query
from kvnet.data.story import Question, Story, words_of

RELEASED = Path(__file__).resolve().parents[2] / "shared/data/babi/tasks_1-20_v1-2/en"


def form(line) -> str:
    """Return the text of a line with every field's value replaced by its name: ``{actor}``."""
    parse = parse_query if isinstance(line, Question) else parse_event
    text = line.text
    for name, value in sorted(parse(text)._asdict().items(), key=lambda field: -len(field[1])):
        text = re.sub(rf"\b{value}\b", f"{{{name}}}", text, count=1, flags=re.IGNORECASE)
    return text


def vocabulary(stories: list[Story]) -> set[str]:
    """Return all words of the stories, including the answers."""
    lines = [line for story in stories for line in story]
    answers = {
        word for line in lines if isinstance(line, Question) for word in line.answer.split(",")
    }
    return {word for line in lines for word in words_of(line.text)} | answers


def questions_of(story: Story) -> list[dict]:
    """Return the measures of each question of a story."""
    questions, sentence_numbers, texts = [], {}, []
    for line_id, line in enumerate(story, start=1):
        if not isinstance(line, Question):
            texts.append(line.text)
            sentence_numbers[line_id] = len(texts)
            continue
        distances = [len(texts) - sentence_numbers[fact] for fact in line.supporting]
        questions.append(
            {
                "sentences before": len(texts),
                "supporting facts": len(line.supporting),
                "first fact's distance": distances[0],
                "last fact's distance": distances[-1],
                "furthest fact": max(distances),
                "asked before": any(q["text"] == line.text for q in questions),
                "asked just before": bool(questions) and questions[-1]["text"] == line.text,
                "answer in last sentence": line.answer.lower() in words_of(texts[-1]),
                "text": line.text,
                "answer": line.answer,
            }
        )
    return questions


MEANS = (
    "sentences before",
    "supporting facts",
    "first fact's distance",
    "last fact's distance",
    "furthest fact",
    "asked before",
    "asked just before",
    "answer in last sentence",
)
REQUIRED = ("answers", "sentences before", "questions per story", "supporting facts")


def mean_and_error(stories: list[list[dict]], value) -> tuple[float, float]:
    """Return the mean of a value over all questions, and the standard error of the mean.

    The questions of one story are not independent. So the error is computed as that of a ratio of
    story totals.
    """
    totals = np.array([sum(float(value(question)) for question in story) for story in stories])
    counts = np.array([len(story) for story in stories])
    mean = totals.sum() / counts.sum()
    error = np.sqrt(((totals - mean * counts) ** 2).sum()) / counts.sum()
    return float(mean), float(error)


def count_and_error(stories: list[list[dict]]) -> tuple[float, float]:
    """Return the mean number of questions per story, and its standard error.

    The last story is not counted, since it may be cut short.
    """
    counts = np.array([len(story) for story in stories[:-1]])
    return float(counts.mean()), float(counts.std() / np.sqrt(len(counts)))


def shares(stories: list[list[dict]]) -> dict[str, float]:
    """Return the share of questions with each answer."""
    counts = Counter(question["answer"] for story in stories for question in story)
    return {answer: count / counts.total() for answer, count in counts.items()}


def variation(one: dict[str, float], other: dict[str, float]) -> float:
    """Return the total variation distance of two distributions."""
    return sum(abs(one.get(key, 0) - other.get(key, 0)) for key in one.keys() | other.keys()) / 2


def variation_error(one: list[list[dict]], other: list[list[dict]]) -> float:
    """Return a standard error of the total variation distance of two sets of answers.

    It is half the sum, over all answers, of the standard errors of the differences of shares.
    """
    error = 0.0
    for answer in shares(one).keys() | shares(other).keys():
        errors = [
            mean_and_error(part, lambda question, answer=answer: question["answer"] == answer)[1]
            for part in (one, other)
        ]
        error += float(np.hypot(*errors)) / 2
    return error


def compare(train: list[Story], test: list[Story], generated: list[Story]) -> dict:
    """Return, per measure, the distance of generated from released stories and its allowed maximum.

    Parameters
    ----------
    train, test : list of Story
        Released stories.
    generated : list of Story

    Returns
    -------
    rows : dict of str to dict
        Measure to its "distance" and "allowed" distance and, except for the answers, to its means
        "released" and "generated".
    """
    parts = [[questions_of(story) for story in split] for split in (train, test, generated)]
    released, simulated = parts[0] + parts[1], parts[2]
    rows = {}
    allowed = max(
        variation(shares(parts[0]), shares(parts[1])),
        2 * variation_error(released, simulated),
    )
    rows["answers"] = {
        "distance": variation(shares(released), shares(simulated)),
        "allowed": allowed,
    }
    for measure in ("questions per story", *MEANS):
        if measure == "questions per story":
            values = [count_and_error(part) for part in (*parts[:2], released, simulated)]
        else:
            values = [
                mean_and_error(part, itemgetter(measure))
                for part in (*parts[:2], released, simulated)
            ]
        (train_mean, _), (test_mean, _), (mean, error), (simulated_mean, simulated_error) = values
        rows[measure] = {
            "released": mean,
            "generated": simulated_mean,
            "distance": abs(mean - simulated_mean),
            "allowed": max(
                abs(train_mean - test_mean), 2 * float(np.hypot(error, simulated_error))
            ),
        }
    return rows


def solver_accuracy(stories: list[Story]) -> dict[str, float]:
    """Return the shares of questions for which `solve` agrees with the given answer and IDs."""
    results = []
    for story in stories:
        for index, line in enumerate(story):
            if isinstance(line, Question):
                solution = solve(story[:index], line)
                results.append(
                    (
                        solution.answer == line.answer,
                        line.answer in solution.candidates,
                        len(solution.candidates) > 1,
                        solution.supporting == line.supporting,
                    )
                )
    right, among, several, supporting = np.mean(results, axis=0)
    return {
        "questions": len(results),
        "answered": float(right),
        "among candidates": float(among),
        "several candidates": float(several),
        "same supporting IDs": float(supporting),
    }


def main() -> None:
    """Measure every task, print the results and optionally write them to a JSON file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data-dir", type=Path, default=RELEASED, help="folder of the released bAbI files"
    )
    parser.add_argument(
        "--questions", type=int, default=10_000, help="generated questions per task"
    )
    parser.add_argument("--seed", type=int, default=1, help="random seed of the simulator")
    parser.add_argument(
        "--tasks", type=int, nargs="+", default=sorted(TASK_NAMES), help="task numbers"
    )
    parser.add_argument("--json", type=Path, help="file to write all results to")
    flags = parser.parse_args()

    report, seconds, failed = {}, {}, 0
    for task in flags.tasks:
        train, test = (
            read_stories(flags.data_dir / file_name(task, split)) for split in ("train", "test")
        )
        start = time.process_time()
        generated = generate(task, flags.questions, flags.seed)
        seconds[task] = time.process_time() - start
        rows = compare(train, test, generated)
        forms = [
            {form(line) for story in part for line in story} for part in (train + test, generated)
        ]
        vocabularies = [vocabulary(part) for part in (train + test, generated)]
        accuracies = {
            "released": solver_accuracy(train + test),
            "generated": solver_accuracy(generated),
        }
        report[task] = {
            "measures": rows,
            "words only released": sorted(vocabularies[0] - vocabularies[1]),
            "words only generated": sorted(vocabularies[1] - vocabularies[0]),
            "forms": len(forms[0]),
            "forms only released": sorted(forms[0] - forms[1]),
            "forms only generated": sorted(forms[1] - forms[0]),
            "solve": accuracies,
            "questions per second": flags.questions / seconds[task],
        }
        print(
            f"task {task}: {len(vocabularies[0])} words, "
            f"same: {vocabularies[0] == vocabularies[1]}; "
            f"{len(forms[0])} forms, same: {forms[0] == forms[1]}; "
            f"{flags.questions / seconds[task]:,.0f} questions/s"
        )
        for name, found in accuracies.items():
            print(
                f"  solve, {name}: {found['answered']:.2%} answered, "
                f"{found['among candidates']:.2%} among candidates, "
                f"{found['several candidates']:.2%} with several candidates, "
                f"{found['same supporting IDs']:.2%} same supporting IDs"
            )
        for measure, row in rows.items():
            within = row["distance"] <= row["allowed"]
            failed += measure in REQUIRED and not within
            values = (
                f"{row['released']:8.3f} {row['generated']:8.3f} "
                if "released" in row
                else " " * 18
            )
            print(
                f"  {measure + ('*' if measure in REQUIRED else ''):26} {values}"
                f"distance {row['distance']:.4f}, allowed {row['allowed']:.4f}"
                f"{'' if within else '  <-- too far'}"
            )
    count = flags.questions * len(flags.tasks)
    print(f"{count / sum(seconds.values()):,.0f} questions/s over all tasks")
    print(f"{failed} of the required measures (*) exceed the allowed distance")
    if flags.json:
        flags.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
