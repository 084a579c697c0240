"""What is shown of a training: lines that stay, the speed and the time left."""

import io
import sys
import time
from dataclasses import replace

import pytest
from helpers.training import train_runs
from numba.core import event

from kvnet import KeyValueRecipe, LanguageModelRecipe
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.text import encode_texts, words_of_lines
from kvnet.training import progress
from kvnet.training.compiling import COMPILED
from kvnet.training.progress import Progress
from kvnet.training.task_run import TaskRun
from kvnet.training.text_run import TextRun, perplexity_text

RECIPE = KeyValueRecipe(
    epochs=4, batch_size=8, embedding_size=8, feature_size=8, evaluation_interval=2
)


class Screen(io.StringIO):
    def __init__(self, terminal):
        super().__init__()
        self.terminal = terminal

    def isatty(self):
        return self.terminal


def task_run(recipe=RECIPE):
    return TaskRun(encode_tasks([embedded_task(1, 60)], 20, 0), recipe, 0)


@pytest.mark.parametrize("terminal", [False, True], ids=["pipe", "terminal"])
def test_every_evaluation_stays_on_the_screen(monkeypatch, terminal):
    screen, run = Screen(terminal), task_run()
    monkeypatch.setattr(sys, "stderr", screen)
    if not terminal:  # a terminal keeps them however quickly they come
        monkeypatch.setattr(progress, "SECONDS_BETWEEN_EVALUATIONS", 0)
    shown = Progress([run], "task 1", quiet=False)
    assert train_runs([run], shown.step, lambda: False)
    shown.close()
    lines = [line.rpartition("\r")[2] for line in screen.getvalue().split("\n")]
    lines = [line for line in lines if line.startswith("task 1: epoch ")]
    assert [line.split(",")[0] for line in lines] == ["task 1: epoch 2/4", "task 1: epoch 4/4"]
    assert "validation accuracy 0." in lines[0] and "questions/s" in lines[-1]
    assert ("\r" in screen.getvalue()) == terminal  # of the bar


def test_a_pipe_gets_lines_within_a_long_epoch_at_growing_intervals(monkeypatch):
    words = words_of_lines(["the cat sat on the mat"] * 80)
    recipe = LanguageModelRecipe(
        embedding_size=4, linear_size=2, hops=1, memory_size=4, batch_size=8, epochs=1
    )
    run, screen = TextRun(encode_texts({"a": words, "b": words}, 4), recipe, 0), Screen(False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "FIRST_SECONDS_BETWEEN_LINES", 0.02)
    shown = Progress([run], "training", quiet=False)

    def slow(count):
        time.sleep(0.005)
        shown.step(count)

    assert train_runs([run], slow, lambda: False)
    shown.close()
    lines = screen.getvalue().splitlines()
    within = [line for line in lines if " steps, " in line]
    assert 1 <= len(within) <= 8  # of some 60 calls
    assert all("words/s" in line and "left" in line for line in within)
    assert lines[-1].startswith("training: epoch 1/1, perplexity ")


def test_the_time_left_does_not_count_compilation(monkeypatch):
    run, screen = task_run(replace(RECIPE, epochs=100, evaluation_interval=1)), Screen(False)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_EVALUATIONS", 0)
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    shown = Progress([run], "task 1", quiet=False)
    steps = run.trainer.batches.steps_per_epoch

    def take(epochs, seconds):
        now[0] += seconds
        run.trainer.step += epochs * steps
        run.history.append({"training_accuracy": 0.5})
        shown.step(epochs * steps)

    take(1, 1000)  # the first steps are not measured
    take(1, 1)
    event.start_event(COMPILED)
    now[0] += 500
    event.end_event(COMPILED)
    take(1, 1)
    shown.close()
    assert ", 01:38 left" in screen.getvalue().splitlines()[-2]
    assert ", 01:37 left" in screen.getvalue().splitlines()[-1]


def test_a_huge_perplexity_is_short():
    assert perplexity_text(112.04) == "112.0"
    assert perplexity_text(1e140) == "1.00e+140"
    assert perplexity_text(float("inf")) == "inf"
