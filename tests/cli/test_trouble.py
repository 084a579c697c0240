"""Closed and full streams, signals, locks and forks: each ends in one line, and nothing is lost."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from helpers import ROOT
from helpers.commands import start, wait_for

from kvnet import Example, KeyValueRecipe, MemN2NRecipe, QuestionAnswerer, TextContinuer
from kvnet.cli.exit_code import exit_code
from kvnet.cli.training import CHECKPOINT
from kvnet.errors import InputError
from kvnet.files.checkpoint import read_arrays
from kvnet.files.folder_lock import only_writer
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.stop import StopRequest

pytestmark = pytest.mark.filterwarnings("ignore:the last .* questions fill no batch")
SMALL = ["--task-id=1", "--questions-per-task=40", "--embedding-size=4", "--feature-size=4"]
LONG = [*SMALL, "--epochs=100000", "--kernels=reference", "--quiet"]
# Streams are closed and full for `exit_code` itself: a process that need not import Numba.
SPEAK = """
import sys
from kvnet.cli.exit_code import exit_code

def command():
    print("progress", file=sys.stderr, flush=True)
    print("results")
    return 0

sys.exit(exit_code("speak", command))
"""


def speak(redirection):
    done = subprocess.run(
        ["sh", "-c", f'"$0" -c "$1" {redirection}', sys.executable, SPEAK],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("redirection", "code", "out", "err"),
    [
        (">&-", 2, "", "speak: error: standard output is closed, and the results are printed"),
        (">/dev/full", 2, "", "progress\nspeak: error: standard output cannot be written (No"),
        ("2>&-", 0, "results\n", ""),
        ("2>/dev/full", 0, "results\n", ""),
        (">/dev/full 2>/dev/full", 2, "", ""),
        (">&- 2>&- <&-", 2, "", ""),
    ],
)
def test_closed_and_full_streams(redirection, code, out, err):
    found = speak(redirection)
    assert found[:2] == (code, out)
    assert found[2].startswith(err) and (err or not found[2])
    assert "Traceback" not in found[2] and "Exception ignored" not in found[2]


def test_a_warning_is_one_line_and_an_error_without_text_names_itself(capsys):
    import warnings

    def command():
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            warnings.warn("kernels cannot be kept", stacklevel=1)
        raise MemoryError

    assert exit_code("program", command) == 2
    warning, error = capsys.readouterr().err.splitlines()
    assert warning == "program: kernels cannot be kept"
    assert error == "program: error: out of memory; use smaller sizes, or a smaller batch_size"


def test_a_closed_terminal_saves_the_state(tmp_path):
    process = start("train_babi.py", *LONG, "--checkpoint", tmp_path, stderr=subprocess.PIPE)
    wait_for(tmp_path / CHECKPOINT, process)
    process.send_signal(signal.SIGHUP)
    assert "to continue: " in process.communicate(timeout=30)[1]
    assert process.returncode == 129
    assert read_arrays(tmp_path / CHECKPOINT)[1]["step"] > 0


def test_a_signal_that_is_ignored_from_the_start_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs Linux's /proc")
def test_ctrl_c_while_python_imports_shows_no_traceback():
    process = start("train_babi.py", *LONG, stderr=subprocess.PIPE)
    maps = Path(f"/proc/{process.pid}/maps")
    while "_multiarray_umath" not in maps.read_text():  # NumPy is the first import of many
        time.sleep(0.001)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=30)[1] == ""
    assert process.returncode == -signal.SIGINT


def test_two_trainings_cannot_write_to_one_folder(tmp_path, capsys):
    from kvnet.cli.train_babi import main

    first = start("train_babi.py", *LONG, "--checkpoint", tmp_path, stderr=subprocess.PIPE)
    try:
        wait_for(tmp_path / CHECKPOINT, first)
        code = main([*LONG, "--checkpoint", str(tmp_path), "--resume"])
        err = capsys.readouterr().err
        assert code == 2 and err.count("\n") == 1
        assert f"another training writes there (process {first.pid} on " in err
        QuestionAnswerer.load(tmp_path / CHECKPOINT)  # readers take no lock
    finally:
        first.kill()
        first.communicate()
    with only_writer(tmp_path):  # the lock has ended with its process
        pass


def test_a_folder_is_locked_for_one_writer(tmp_path):
    refused = pytest.raises(InputError, match="another training writes")
    with only_writer(tmp_path / "new"), refused, only_writer(tmp_path / "new"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be written to"), only_writer(tmp_path / "file"):
        pass


def _use_again(queue, use):
    queue.put(use())


def _story(n):
    return Example.of_story("where is mary?", ["mary went home", "john left"] * 3, "home")


def _uses(recipe):
    examples = list(map(_story, range(300)))
    answerer = QuestionAnswerer(recipe).fit(examples)

    def use():
        words = [answer.word for answer in answerer.predict(examples)]
        return words, QuestionAnswerer(recipe).fit(examples).model.theta.tobytes()

    return use


def _uses_of_the_language_model():
    sizes = {"embedding_size": 8, "linear_size": 4, "hops": 2, "memory_size": 4}
    recipe = LanguageModelRecipe(**sizes, batch_size=16, epochs=1)
    text = "the cat sat on the mat\n" * 100
    continuer = TextContinuer(recipe).fit(text)
    return lambda: (
        continuer.perplexity(text),
        TextContinuer(recipe).fit(text).model.theta.tobytes(),
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("kind", ["bow", "simple_gru", "memn2n", "language model"])
def test_a_forked_process_computes_the_same_bits(kind):
    use = {
        "bow": lambda: _uses(KeyValueRecipe(epochs=1)),
        "simple_gru": lambda: _uses(KeyValueRecipe(epochs=1, reader="simple_gru")),
        "memn2n": lambda: _uses(MemN2NRecipe(epochs=1)),
        "language model": _uses_of_the_language_model,
    }[kind]()
    expected, context = use(), multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_use_again, args=(queue, use))
    child.start()
    try:
        assert queue.get(timeout=60) == expected
    finally:
        child.join(10)
        child.kill()
    assert child.exitcode == 0


MEMORY = """
import resource, sys
from kvnet.cli.train_babi import main
from kvnet.kernels import kernel_threads
with kernel_threads(2):
    pass
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
limit = used + int(sys.argv.pop(1)) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("mebibytes", [150, 250])
def test_too_little_memory_is_one_line_that_names_the_sizes(mebibytes):
    flags = ["--task-id=1", "--questions-per-task=500", "--batch-size=400"]
    flags += ["--embedding-size=900", "--feature-size=900"]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(mebibytes), *flags, "--threads=2", "--quiet"],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr
    assert "out of memory (" in done.stderr and "embedding_size=900" in done.stderr


def test_hostile_arguments_of_the_classes(tmp_path):
    import numpy

    example = _story(0)
    answerer = QuestionAnswerer(KeyValueRecipe(epochs=numpy.int64(1), batch_size=2))
    assert type(answerer.recipe.epochs) is int
    answerer.fit(each for each in [example] * 4)
    json.dumps(answerer.recipe.epochs)
    raw = Example("where", ("mary",), ("mary",), "home")
    for wrong in (None, 3, "text", example, [None], [3], ["text"], [raw], {"a": 1}):
        for call in (answerer.fit, answerer.predict):
            with pytest.raises(InputError):
                call(wrong)
    for make in (
        lambda: Example.of_story(None, ["a"]),
        lambda: Example.of_story("a?", None),
        lambda: Example.of_story("a?", [1]),
        lambda: Example.of_story("a?", ["a"], 3),
        lambda: Example.of_memory("a?", ["a"], 5),
        lambda: answerer.save(None),
        lambda: answerer.save(""),
        lambda: QuestionAnswerer.load(3),
        lambda: QuestionAnswerer.load("a\0b"),
        lambda: QuestionAnswerer({"epochs": 1}).fit([example]),
        lambda: TextContinuer({}).fit("a b c"),
        lambda: TextContinuer().fit(["a b c"]),
        lambda: TextContinuer().fit(None),
        lambda: KeyValueRecipe(epochs=10**30),
        lambda: KeyValueRecipe(epochs="3"),
        lambda: KeyValueRecipe(learning_rate=10**400),
        lambda: KeyValueRecipe(hops=10**6),
    ):
        with pytest.raises(InputError):
            make()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
@pytest.mark.parametrize("flag", ["--help", "--version"])
def test_help_that_cannot_be_written(flag):
    with open("/dev/full", "w") as full:
        command = [sys.executable, "train_babi.py", flag]
        done = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("train_babi.py: error: standard output cannot be written (No")
    assert done.stderr.count("\n") == 1
