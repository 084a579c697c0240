"""MemN2N and the language model on a device: steps wait for nothing, commands run as on NumPy.

The device is `strict_arrays`, which refuses and counts what CuPy would; and a GPU, if there is one.
"""

import re
from dataclasses import replace
from io import StringIO

import numpy
import pytest
from cuda_on_the_host import COMPILER, WHY_NOT
from strict_arrays import counted, launched, strict

from kvnet.backend import array_module, to_numpy
from kvnet.files.checkpoint import read_arrays
from kvnet.cli import train_babi, train_lm
from kvnet import renumber as distinct
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.text import Text
from kvnet.training.recipes.language_model import LanguageModelSettings
from kvnet.training.recipes.memn2n import MemN2NSettings
from kvnet.training.recipes.key_value import Settings
from kvnet.training.text_loss import text_loss
from kvnet.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("device")
LANGUAGE_MODEL = LanguageModelSettings(
    edim=6, lindim=3, nhop=2, mem_size=5, batch_size=8, init_std=0.3
)
MEMN2N = MemN2NSettings(embedding_size=6, batch_size=8, memory_size=6, linear_start=0)
SHUFFLED = Settings(
    batch_size=6, embedding_size=6, feature_size=7, reader="simple_gru", shuffle_questions=True
)
CLIPPED = {"max_grad_norm": 0.2}
VARIANTS = [
    LANGUAGE_MODEL,
    replace(LANGUAGE_MODEL, **CLIPPED),
    replace(LANGUAGE_MODEL, clip="each", **CLIPPED),
    replace(LANGUAGE_MODEL, optimizer="adagrad", clip="each", **CLIPPED),
    replace(LANGUAGE_MODEL, dropout=0.3, word_dropout=0.4),
    replace(LANGUAGE_MODEL, optimizer="adagrad", averaging=1.0, dropout=0.3),
    MEMN2N,
    replace(MEMN2N, **CLIPPED),
    replace(MEMN2N, linear_start=9),
    replace(MEMN2N, time_noise=0.0, encoding="bow"),
    replace(MEMN2N, tying="layerwise", **CLIPPED),
    replace(MEMN2N, tying="layerwise", linear_start=9, encoding="paper"),
    SHUFFLED,
]


def named(settings):
    """Name a variant by what is not as published, apart from its sizes."""
    base = {type(s): s for s in (LANGUAGE_MODEL, MEMN2N, SHUFFLED)}[type(settings)]
    told = [f"{n}={v}" for n, v in vars(settings).items() if getattr(base, n) != v]
    return ", ".join([type(settings).__name__.removesuffix("Settings") or "kv", *told])


def trainer_of(settings, backend, form, dtype="float64"):
    """Make a small training in double precision, of 20 steps an epoch or more."""
    xp = array_module(backend)
    if isinstance(settings, LanguageModelSettings):
        words = numpy.random.default_rng(0).integers(0, 60, 200).astype(numpy.int32)
        data, sizes = Text(words, 5, 60, xp), (60,)
    else:
        tasks = encode_tasks([embedded_task(2, 180)], settings.memory_size, 0, xp)
        data, sizes = tasks.training.dataset, (len(tasks.vocabulary), tasks.sizes)
    model = settings.new_model(*sizes, 1, backend, form)
    model = type(model)(**model.config | {"dtype": dtype}, backend=backend, kernels=form)
    return Trainer(model, data, settings, 2)


@pytest.fixture(params=["reference", "fused"])
def form(request, xp):
    if request.param == "fused" and xp is strict and COMPILER is None:
        pytest.skip(WHY_NOT)
    return request.param


@pytest.mark.parametrize("settings", VARIANTS, ids=named)
def test_steps_copy_as_much_as_one_and_the_next_ones_nothing(xp, settings, form):
    trainer_of(settings, "cupy", form).train(1)  # what stays on the device, such as chunks
    found = []
    for count in (1, 3):
        trainer = trainer_of(settings, "cupy", form)
        with counted(xp) as transfers:
            trainer.train(count)
        found.append(transfers)
    assert found[0] == found[1]
    assert len(found[0]) == 2  # the rows of 64 batches, and the size of the fullest
    with counted(xp) as transfers:
        trainer.train(1)
        trainer.train(2)
    assert transfers == []


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        (LANGUAGE_MODEL, 9),
        (replace(LANGUAGE_MODEL, optimizer="adagrad", dropout=0.3, word_dropout=0.1), 17),
        (MEMN2N, 23),
        (replace(MEMN2N, tying="layerwise"), 18),
    ],
    ids=["language model", "both dropouts", "adjacent", "layerwise"],
)
def test_a_step_is_as_many_launches_as_documented(settings, count, kernels):
    if kernels is not strict:
        pytest.skip("only the strict arrays count launches")
    trainer = trainer_of(settings, "cupy", "fused")
    trainer.train(1)
    with launched() as names:
        trainer.train(2)
    assert len(names) == 2 * count


@pytest.mark.parametrize("settings", VARIANTS, ids=named)
def test_steps_are_the_textbook_s(settings, form):
    expected = trainer_of(settings, "numpy", "reference")
    trainer = trainer_of(settings, "cupy", form)
    for one in (expected, trainer):
        one.train(3)
    theta, right = to_numpy(trainer.model.theta), expected.model.theta
    assert numpy.linalg.norm(theta - right) < 1e-12 * numpy.linalg.norm(right)
    losses = [one.state()[1]["epoch_loss"] for one in (trainer, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@pytest.mark.parametrize("settings", [LANGUAGE_MODEL, MEMN2N], ids=named)
def test_bits_do_not_hang_on_where_a_call_begins(xp, settings, form, monkeypatch):
    monkeypatch.setattr(distinct, "TOGETHER", 4)
    whole, parts = (trainer_of(settings, "cupy", form, "float32") for _ in range(2))
    whole.train(9)
    parts.train(2)
    arrays, metadata = parts.state()
    again = trainer_of(settings, "cupy", form, "float32")
    again.restore("memory", {name: to_numpy(array) for name, array in arrays.items()}, metadata)
    again.train(1)
    again.train(6)
    assert (to_numpy(again.model.theta) == to_numpy(whole.model.theta)).all()


def test_a_text_s_loss_comes_to_the_host_once(xp):
    words = numpy.random.default_rng(0).integers(0, 60, 400).astype(numpy.int32)
    losses = []
    for backend in ("numpy", "cupy"):
        model = trainer_of(LANGUAGE_MODEL, backend, "reference").model
        text = Text(words, 5, 60, model.xp)
        with counted(xp) as transfers:
            losses.append(text_loss(model, text))
    assert losses[1] == pytest.approx(losses[0], rel=1e-12)
    assert len(transfers) == 3  # the words of the full batches, of the last one, the losses


def texts(folder):
    rng = numpy.random.default_rng(1)
    for split, lines in (("train", 30), ("valid", 9), ("test", 9)):
        said = [" ".join(rng.choice(["red", "blue", "green"], 4)) for _ in range(lines)]
        (folder / f"tale.{split}.txt").write_text("\n".join(said))
    return ["--data-dir", str(folder), "--data-name", "tale"]


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", text)]


def ran(command, capsys, *argv):
    assert command.main([str(a) for a in argv]) == 0
    return capsys.readouterr().out


def same(got, expected, tolerance=0.1):
    """Two outputs say the same words, and the same numbers but for the last digit."""
    without = [re.sub(r" *-?\d+\.\d+", " #", text) for text in (got, expected)]
    assert without[0] == without[1]
    assert numbers(got) == pytest.approx(numbers(expected), abs=tolerance)


def test_the_language_model_s_command_runs_on_a_device(tmp_path, capsys, form, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_lm.py"])
    sizes = "--edim 6 --lindim 3 --nhop 2 --mem-size 5 --batch-size 32 --init-std 0.3"
    rule = "--optimizer adagrad --init-lr 0.1 --averaging 0.5 --word-dropout 0.1 --clip each"
    flags = [*texts(tmp_path), *f"{sizes} {rule} --show false --restarts 2".split()]
    theirs = ["--backend", "cupy", "--kernels", form]
    outputs = []
    for folder, first, second in (("here", [], []), ("there", theirs, []), ("back", [], theirs)):
        flags_and_place = [*flags, "--checkpoint-dir", tmp_path / folder]
        ran(train_lm, capsys, *flags_and_place, "--nepoch", 1, *first)
        outputs.append(ran(train_lm, capsys, *flags_and_place, "--nepoch", 2, "--resume", *second))
    for output in outputs[1:]:
        same(output, outputs[0])
    place = ["--checkpoint-dir", tmp_path / "here" / "start-1"]
    for what in (["--is-test", *texts(tmp_path)], ["--generate", "red blue", "--explain"]):
        told = [ran(train_lm, capsys, *place, *what, *where) for where in ([], theirs)]
        assert told[0].count("\n") >= 3
        same(*told)


def test_memn2n_s_command_runs_on_a_device(tmp_path, capsys, form, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_babi.py"])
    sizes = "--batch-size 16 --embedding-size 6 --memory-size 6 --linear-start 1 --quiet"
    flags = ["--model", "memn2n", "--questions-per-task", 60, *sizes.split(), "--restarts", 2]
    theirs = ["--backend", "cupy", "--kernels", form]
    found = []
    for folder, first, second in (("here", [], []), ("there", theirs, []), ("back", [], theirs)):
        place = ["--checkpoint", tmp_path / folder]
        ran(train_babi, capsys, *flags, *place, "--epochs", 1, *first)
        ran(train_babi, capsys, *flags, *place, "--epochs", 3, "--resume", *second)
        arrays, metadata = read_arrays(tmp_path / folder / "start-1" / "checkpoint.safetensors")
        assert metadata["step"] == 3 * 4
        found.append(numpy.concatenate([array.ravel() for array in arrays.values()]))
    for theta in found[1:]:
        assert numpy.linalg.norm(theta - found[0]) < 1e-5 * numpy.linalg.norm(found[0])
    told = []
    for where in ([], theirs):
        monkeypatch.setattr("sys.stdin", StringIO("Mary moved to the office.\nWhere is Mary?\n"))
        told.append(
            ran(train_babi, capsys, "--ask", "--checkpoint", tmp_path / "here" / "start-1", *where)
        )
    assert told[0].count("\n") >= 3
    same(*told, tolerance=0.011)
