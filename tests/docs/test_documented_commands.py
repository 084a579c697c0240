"""The shell commands in README and docs are accepted, and the cheap ones do what README shows."""

import ast
import io
import re
import shlex
from typing import NamedTuple

import numpy
import pytest
from helpers import ROOT

from kvnet.cli import arguments, generate, train_babi, train_kb, train_lm
from kvnet.gradcheck import command_line
from kvnet.lab import command

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAINS = {
    "train_babi.py": train_babi.main,
    "train_kb.py": train_kb.main,
    "train_lm.py": train_lm.main,
    "kvnet.cli.generate": generate.main,
    "kvnet.gradcheck": command_line.main,
    "gradcheck": command_line.main,
    "kvnet-lab": command.main,
    "kvnet.lab": command.main,
}
OTHER_PROGRAMS = ("pip", "pytest", "sphinx", "venv")
WEIGHT = r"-?\d+\.\d\d"


class Command(NamedTuple):
    """A command of a document: the script or module that Python runs, and its arguments."""

    document: str
    program: str
    arguments: list[str]

    def __str__(self):
        return f"{self.document}: {shlex.join([self.program, *self.arguments])}"


def commands():
    """Return all commands in shell blocks, and those in the text that begin with ``python``."""
    found = []
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
        lines += re.findall(r"`(python [^`]+)`", text)
        for line in lines:
            for words in split_at(shlex.split(line, comments=True), "&&"):
                found.append(Command(path.name, *program_and_arguments(words)))
    return found


def split_at(words, separator):
    parts = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


def program_and_arguments(words):
    """Remove what is in front of the script or the module: Python, its path, a time limit."""
    if words[0] == "timeout":
        words = words[2:]
    if words[0].removeprefix(".venv/bin/") == "python":
        words = words[2:] if words[1] == "-m" else words[1:]
    return words[0], words[1:]


class Parsed(Exception):
    """Raised in place of running a command whose arguments were accepted."""


@pytest.fixture
def parse(monkeypatch):
    """Return a function that parses the arguments of a command, and returns its parser."""
    accept = arguments.ArgumentParser.parse_args

    def parse_only(parser, args, namespace=None):
        accept(parser, args, namespace)
        raise Parsed(parser)

    monkeypatch.setattr(arguments.ArgumentParser, "parse_args", parse_only)

    def parser_of(main, args):
        with pytest.raises(Parsed) as raised:
            main(args)
        return raised.value.args[0]

    return parser_of


@pytest.mark.parametrize("command", commands(), ids=str)
def test_commands_are_accepted(command, parse):
    program, args = command.program, command.arguments
    if program in MAINS:
        parse(MAINS[program], args)
    elif program.startswith("benchmarks/"):
        assert {a for a in args if a.startswith("--")} <= flags_in(ROOT / program)
    else:
        assert program in OTHER_PROGRAMS
        extras = {e for a in args for e in re.findall(r"[\w]+", a.partition("[")[2])}
        assert all(f'"{extra}": [' in (ROOT / "setup.py").read_text() for extra in extras)


def flags_in(script):
    """Return the strings in a script that are flags; its imports may not be installed."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
    return {s for s in strings if isinstance(s, str) and re.fullmatch(r"--[a-z-]+", s)}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_flags_in_the_text_exist(path, parse):
    required = {"kvnet.cli.generate": ["--out", "made"]}
    known = set().union(*map(flags_in, (ROOT / "benchmarks").glob("*.py")))
    for program, main in MAINS.items():
        known |= set(parse(main, required.get(program, []))._option_string_actions)
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"`(--[a-z][a-z-]*)", text))
    assert named <= known


def test_the_gradcheck_command_of_the_readme(capsys):
    command = "--op hop --method complex_step"
    assert f"python -m kvnet.gradcheck {command}\n" in README
    assert command_line.main(command.split()) == 0
    assert capsys.readouterr().out.endswith("all right\n")


def test_the_session_of_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("KVNET_DATA", raising=False)  # the simulator's stories
    blocks = re.search(r"```sh\n([^`]*--ask[^`]*)```\s+```text\n(.*?)```", README, re.DOTALL)
    lines, shown = blocks[1].splitlines(), blocks[2].splitlines()
    train, ask = (program_and_arguments(shlex.split(line))[1] for line in lines)
    typed = [line.removeprefix("> ") for line in shown if line.startswith("> ")]
    documented = [line for line in shown if not line.startswith("> ")]

    assert train_babi.main([*train, "--quiet", "--kernels", "reference"]) == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", Terminal("\n".join(typed)))
    assert train_babi.main([*ask, "--kernels", "reference"]) == 0
    _, *printed, _ = capsys.readouterr().out.replace("> ", "").splitlines()  # help, end of input

    # Figures depend on the rounding of the machine, and so does whether empty slots are shown.
    assert without_figures(printed) == without_figures(documented)
    assert mean_attention(printed).argmax() == mean_attention(documented).argmax()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def without_figures(lines):
    text = re.sub(r"\d+\.\d+", "#", "\n".join(lines))
    return re.sub(r"\n[^\n]*\(empty slots\)", "", text)


def mean_attention(lines):
    """Return each sentence's mean attention over the hops."""
    first = 1 + next(n for n, line in enumerate(lines) if line.startswith("hop 1"))
    rows = [re.findall(WEIGHT, line) for line in lines[first:]]
    return numpy.array(rows, float).mean(axis=1)
