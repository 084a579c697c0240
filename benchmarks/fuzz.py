"""Feed damaged files and hostile flags to every reader: each works or ends in one clear line.

    python benchmarks/fuzz.py --inputs 1000000 --seed 0

An input is a finding if it raises anything but an InputError, if the message has several lines or
is longer than a screen, or if it takes more than a few seconds. Each target is one function that
draws its input from a random number generator; the tests draw from the same functions.
"""

import argparse
import contextlib
import copy
import io
import json
import random
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path
from unittest import mock

from safetensors.numpy import load as load_arrays
from safetensors.numpy import save

from kvnet import (
    Example,
    InputError,
    KeyValueRecipe,
    LanguageModelRecipe,
    MemN2NRecipe,
    QuestionAnswerer,
    TextContinuer,
    read_key_value_examples,
)
from kvnet.cli import train_babi, train_lm
from kvnet.data.babi import read_task
from kvnet.data.babi_format import file_name, format_stories
from kvnet.data.simulator import generate
from kvnet.data.task_data import encode_splits
from kvnet.data.text import read_texts
from kvnet.files import checkpoint
from kvnet.models import load_model
from kvnet.training.run import train_runs
from kvnet.training.task_run import TaskRun

LONGEST_MESSAGE = 1200
SECONDS = 5
PIECES = [
    *("\t", " ", "\n", "\r", "\r\n", "\0", "?", ".", "1 ", "0 ", "-1 ", "2 Mary went home.\n"),
    *(
        "\u2028",
        "\x85",
        "\x0c",
        "\x1c",
        "\ufeff",
        "é",
        "中",
        "\u202e",
        "𝔘",
        "٣",
        "²",
        '"',
        ",",
        "|",
    ),
    *("Where is Mary?\tbathroom\t1\n", "1 1 ", "99999999999999999999 ", "<unk>", "<eos>", "<nil>"),
    "x" * 5000,
]
VALUES = [
    *(None, True, False, 0, -1, 1, 2, 10**6, 10**12, 10**30, -(10**30), 0.5, -0.0, 1e308, 1e-300),
    *(float("nan"), float("inf"), "", "x", "3", "params", [], {}, [1], ["a"], {"a": 1}, [[[]]]),
]
FLAG_VALUES = [
    *("", "0", "-1", "1", "2", "1e400", "nan", "inf", "1.5", "x", "0x10", "1_000", " 3 ", "٣"),
    *(
        "9" * 30,
        "9" * 5000,
        "true",
        "all",
        "0,1",
        "0,0",
        ",",
        "bow",
        "memn2n",
        "kv-joint",
        "\udce9",
    ),
    *("/dev/null", "/", ".", "..", "a\nb", "--", "-", "fused", "reference"),
]


def mutated_text(draw: random.Random, text: str) -> bytes:
    """Return a text with a few pieces inserted, removed, doubled or replaced, as bytes."""
    for _ in range(draw.randint(1, 4)):
        at = draw.randint(0, len(text))
        to = min(len(text), at + draw.choice([0, 0, 1, 5, 50]))
        new = draw.choice([draw.choice(PIECES), "", text[at:to] * 2])
        text = text[:at] + new + text[to:]
    content = text.encode("utf-8", "surrogatepass")
    if draw.random() < 0.2 and content:
        at = draw.randint(0, len(content) - 1)
        content = content[:at] + bytes([draw.randint(0, 255)]) + content[at + 1 :]
    return content if draw.random() > 0.05 else content[: draw.randint(0, len(content))]


def mutated_json(draw: random.Random, value):
    """Return JSON with one value replaced, removed, added or renamed, anywhere in it."""
    value = copy.deepcopy(value)
    for _ in range(draw.choice([1, 1, 1, 2, 4])):
        place, key = None, None
        inside = value
        while isinstance(inside, dict | list) and inside and draw.random() < 0.8:
            keys = list(inside) if isinstance(inside, dict) else range(len(inside))
            place, key = inside, draw.choice(list(keys))
            inside = inside[key]
        new = copy.deepcopy(draw.choice(VALUES))
        if place is None:
            if isinstance(value, dict):
                value[draw.choice(["x", "kind", "config", "step", "history"])] = new
        elif draw.random() < 0.15:
            del place[key]
        elif draw.random() < 0.1 and isinstance(place, list):
            place.append(inside)
        else:
            place[key] = new
    return value


class Targets:
    """The readers, each fed with inputs that are drawn at random.

    Parameters
    ----------
    folder : Path
        For the files, best in memory.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.stories = {
            split: format_stories(generate(1, 12, 1, split)) for split in ("train", "test")
        }
        self.facts = "capital France\tParis\ncapital Peru\tLima\n? capital Peru?\tLima\n"
        self.words = dict.fromkeys(
            ("train", "valid", "test"), "the cat sat on the mat\nthe dog <unk>\n" * 8
        )
        memory = [("mary", "went", "home"), ("john", "left")]
        examples = [Example.of_story("where is mary?", list(map(" ".join, memory)), "home")] * 12
        sizes = {"embedding_size": 4, "memory_size": 4, "epochs": 2, "batch_size": 4}
        recipes = {
            "kv": KeyValueRecipe(**sizes, feature_size=4, evaluation_interval=1),
            "memn2n": MemN2NRecipe(**sizes, evaluation_interval=1, linear_start=1),
        }
        self.files, self.runs = {}, {}
        for name, recipe in recipes.items():
            data = encode_splits({"training": [(1, examples)]}, recipe.memory_size)
            self.runs[name] = lambda path, d=data, r=recipe: TaskRun(
                d, r, 0, kernels="reference", checkpoint=path
            )
            run = self.runs[name](folder / f"{name}.safetensors")
            train_runs([run], lambda count: None, lambda: False)
            self.files[name] = (folder / f"{name}.safetensors").read_bytes()
        recipe = LanguageModelRecipe(
            embedding_size=4, linear_size=2, hops=2, memory_size=3, batch_size=4, epochs=1
        )
        continuer = TextContinuer(recipe, kernels="reference").fit("the cat sat on the mat\n" * 20)
        continuer.save(folder / "lm.safetensors")
        self.files["lm"] = (folder / "lm.safetensors").read_bytes()
        self.path = folder / "damaged.safetensors"

    def babi(self, draw: random.Random) -> None:
        """Read a damaged bAbI training file."""
        tasks = self.folder / "babi"
        tasks.mkdir(exist_ok=True)
        for split, text in self.stories.items():
            content = mutated_text(draw, text) if split == "train" else text.encode()
            (tasks / file_name(1, split)).write_bytes(content)
        read_task(tasks, 1)

    def key_value(self, draw: random.Random) -> None:
        """Read a damaged key-value file."""
        (self.folder / "facts.txt").write_bytes(mutated_text(draw, self.facts))
        read_key_value_examples(self.folder / "facts.txt")

    def text(self, draw: random.Random) -> None:
        """Read a damaged text of the language model."""
        texts = self.folder / "text"
        texts.mkdir(exist_ok=True)
        damaged = draw.choice(list(self.words))
        for part, text in self.words.items():
            content = mutated_text(draw, text) if part == damaged else text.encode()
            (texts / f"ptb.{part}.txt").write_bytes(content)
        read_texts(texts, "ptb")

    def metadata(self, draw: random.Random) -> None:
        """Load a checkpoint with damaged metadata and a right checksum, or resume from it."""
        kind = draw.choice(list(self.files))
        content = self.files[kind]
        header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
        text = json.dumps(
            mutated_json(draw, json.loads(header["__metadata__"]["kvnet"].partition(" ")[2]))
        )
        if draw.random() < 0.02:
            text = draw.choice(["[" * 10**5, "1", "null", '"x"', "{}", "{", ""])
        arrays = load_arrays(content)
        digest = checkpoint._checksum(text, arrays)
        self.path.write_bytes(save(arrays, metadata={"kvnet": f"{digest} {text}"}))
        self._load(draw, kind)

    def bits(self, draw: random.Random) -> None:
        """Load a checkpoint with flipped bits, or a part of it."""
        kind = draw.choice(list(self.files))
        content = bytearray(self.files[kind])
        for _ in range(draw.choice([1, 1, 8])):
            content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        if draw.random() < 0.2:
            content = content[: draw.randrange(len(content))]
        self.path.write_bytes(bytes(content))
        changed = bytes(content) != self.files[kind]
        self._load(draw, kind)
        assert not changed, "a damaged file was loaded"

    def _load(self, draw, kind):
        how = draw.choice(["model", "class", "resume"])
        if how == "model":
            load_model(self.path, kernels="reference")
        elif kind == "lm":
            loaded = TextContinuer.load(self.path, kernels="reference")
            loaded.continue_text("the cat", 1)
        elif how == "class":
            loaded = QuestionAnswerer.load(self.path, kernels="reference")
            loaded.predict([Example.of_story("mary", ["john"])])
        else:
            run = self.runs[kind](self.path)
            run.resume()
            assert run.result if run.finished else True

    def flags(self, draw: random.Random) -> None:
        """Parse and check hostile flags, up to where data would be read."""
        command = draw.choice([train_babi, train_lm])
        known = list(command._parser()._option_string_actions)
        known = [flag for flag in known if flag not in ("--ask", "--generate", "--is-test")]
        argv = []
        for _ in range(draw.randint(1, 4)):
            flag = draw.choice([*known, draw.choice(FLAG_VALUES), "--nonsense"])
            if flag == "--threads":  # its warm-up is not what is tested
                continue
            argv.append(flag if draw.random() < 0.8 else flag.replace("-", "_"))
            argv += [draw.choice(FLAG_VALUES)] if draw.random() < 0.8 else []
        out, err = io.StringIO(), io.StringIO()
        # The results would be written to files whose names are hostile too.
        with (
            mock.patch.object(command, "_train", lambda *arguments: 0),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                code = command.main(argv)
            except SystemExit as stop:
                code = stop.code
        text = err.getvalue()
        assert code in (0, 2), f"exit code {code} after {argv}"
        if code == 2:
            lines = text.splitlines()
            errors = [line for line in lines if "error: " in line]
            assert len(errors) == 1 and lines[-1] == errors[0], f"{argv}: {text!r}"
            assert len(text) <= LONGEST_MESSAGE, f"a message of {len(text)} characters"


TARGETS = ("babi", "key_value", "text", "metadata", "bits", "flags")


def problem_of(target, draw: random.Random) -> str | None:
    """Run a target on one input; return what is wrong with how it ended, or None."""
    began = time.monotonic()
    try:
        target(draw)
    except InputError as error:
        message = str(error)
        if "\n" in message or "\r" in message:
            return f"message of several lines: {message[:200]!r}"
        if len(message) > LONGEST_MESSAGE:
            return f"message of {len(message):,} characters: {message[:200]!r}"
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        return f"{type(error).__name__} at {place}: {str(error)[:200]!r}"
    seconds = time.monotonic() - began
    return f"took {seconds:.0f} s" if seconds > SECONDS else None


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000, help="number of inputs in total")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this long")
    arguments = parser.parse_args()
    findings, counts, began = Counter(), Counter(), time.monotonic()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as name:
        targets = Targets(Path(name))
        for number in range(arguments.inputs):
            target = arguments.targets[number % len(arguments.targets)]
            draw = random.Random(f"{arguments.seed} {number}")
            problem = problem_of(getattr(targets, target), draw)
            counts[target] += 1
            if problem:
                findings[f"{target}: {problem}"] += 1
                if findings[f"{target}: {problem}"] == 1:
                    print(f"input {number}, {target}: {problem}", flush=True)
            if time.monotonic() - began > arguments.seconds:
                break
    total = sum(counts.values())
    by_target = ", ".join(f"{target} {counts[target]:,}" for target in arguments.targets)
    print(
        f"{total:,} inputs in {time.monotonic() - began:.0f} s ({by_target}), seed {arguments.seed}"
    )
    print(f"{sum(findings.values()):,} findings, {len(findings):,} different")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
