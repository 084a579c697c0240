"""MemN2N and the language model on a device: steps do not synchronise, commands run as on NumPy.

The device is `strict_arrays`, which refuses and counts what CuPy would; and a GPU if there is one.
"""

import re
from dataclasses import replace
from io import StringIO

import numpy
import pytest
from helpers.cuda_on_the_host import COMPILER, WHY_NOT
from helpers.device_data import new_trainer, stories, train
from helpers.strict_arrays import counted, launched, strict

from kvnet import KeyValueRecipe, LanguageModelRecipe, MemN2NRecipe
from kvnet.backend import array_module, to_numpy
from kvnet.cli import train_babi, train_lm
from kvnet.data import packing
from kvnet.data.text import Text, TextData
from kvnet.data.vocabulary import Vocabulary
from kvnet.files.checkpoint import read_arrays
from kvnet.training.fused_steps import steps_for
from kvnet.training.text_loss import text_loss
from kvnet.training.trainer import Trainer

pytestmark = pytest.mark.usefixtures("device")
LANGUAGE_MODEL = LanguageModelRecipe(
    embedding_size=6, linear_size=3, hops=2, memory_size=5, batch_size=8, init_std=0.3
)
MEMN2N = MemN2NRecipe(embedding_size=6, batch_size=8, memory_size=6, linear_start=0)
SHUFFLED = KeyValueRecipe(
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


def name_of(recipe):
    """Name a variant by its differences from the one without."""
    base = next(one for one in (LANGUAGE_MODEL, MEMN2N, SHUFFLED) if type(one) is type(recipe))
    changes = [f"{n}={v}" for n, v in vars(recipe).items() if getattr(base, n) != v]
    return ", ".join([type(recipe).__name__.removesuffix("Recipe"), *changes])


def small_text(xp, words=200):
    vocabulary = Vocabulary((f"w{n}" for n in range(60)), nil=False)
    ids = numpy.random.default_rng(0).integers(0, 60, words).astype(numpy.int32)
    return TextData(vocabulary, Text(ids, 5, 60, xp))


def trainer_of(recipe, backend, kernels, dtype="float64"):
    """Return a small training with at least 20 steps per epoch."""
    xp = array_module(backend)
    is_text = isinstance(recipe, LanguageModelRecipe)
    data = small_text(xp) if is_text else stories(xp, 180, recipe.memory_size)
    trainer = new_trainer(data, recipe, backend, kernels, seed=1)
    config = replace(trainer.model.config, dtype=dtype)
    model = type(trainer.model)(config, backend, kernels)
    return Trainer(model, trainer.dataset, recipe, 2)


@pytest.fixture(params=["reference", "fused"])
def form(request, xp):
    if request.param == "fused" and xp is strict and COMPILER is None:
        pytest.skip(WHY_NOT)
    return request.param


@pytest.mark.parametrize("recipe", VARIANTS, ids=name_of)
def test_further_steps_copy_nothing(xp, recipe, form):
    train(trainer_of(recipe, "cupy", form), 1)  # copies what stays on the device, such as chunks
    copied = []
    for count in (1, 3):
        trainer = trainer_of(recipe, "cupy", form)
        with counted(xp) as transfers:
            train(trainer, count)
        copied.append(transfers)
    assert copied[0] == copied[1]
    assert len(copied[0]) == 2  # the rows of 64 batches, and the size of the fullest one
    with counted(xp) as transfers:
        train(trainer, 1)
        train(trainer, 2)
    assert transfers == []


@pytest.mark.parametrize(
    ("recipe", "count"),
    [
        (LANGUAGE_MODEL, 9),
        (replace(LANGUAGE_MODEL, optimizer="adagrad", dropout=0.3, word_dropout=0.1), 17),
        (MEMN2N, 23),
        (replace(MEMN2N, tying="layerwise"), 18),
    ],
    ids=["language model", "both dropouts", "adjacent", "layerwise"],
)
def test_a_step_has_the_documented_number_of_launches(recipe, count, kernels):
    if kernels is not strict:
        pytest.skip("only the strict arrays count launches")
    trainer = trainer_of(recipe, "cupy", "fused")
    train(trainer, 1)
    with launched() as names:
        train(trainer, 2)
    assert len(names) == 2 * count


@pytest.mark.parametrize("recipe", VARIANTS, ids=name_of)
def test_device_steps_equal_textbook_steps(recipe, form):
    expected = trainer_of(recipe, "numpy", "reference")
    trainer = trainer_of(recipe, "cupy", form)
    for one in (expected, trainer):
        train(one, 3)
    theta, right = to_numpy(trainer.model.theta), expected.model.theta
    assert numpy.linalg.norm(theta - right) < 1e-12 * numpy.linalg.norm(right)
    losses = [one.state()[1]["epoch_loss"] for one in (trainer, expected)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)


@pytest.mark.parametrize("recipe", [LANGUAGE_MODEL, MEMN2N], ids=name_of)
def test_bits_do_not_depend_on_where_a_call_begins(recipe, form, monkeypatch):
    monkeypatch.setattr(packing, "BATCHES_TOGETHER", 4)
    whole, parts = (trainer_of(recipe, "cupy", form, "float32") for _ in range(2))
    train(whole, 9)
    train(parts, 2)
    arrays, metadata = parts.state()
    resumed = trainer_of(recipe, "cupy", form, "float32")
    resumed.restore("memory", {name: to_numpy(a) for name, a in arrays.items()}, metadata)
    steps = steps_for([resumed])
    steps.train(1)
    steps.train(6)
    assert (to_numpy(resumed.model.theta) == to_numpy(whole.model.theta)).all()


def test_the_loss_of_a_text_is_copied_to_the_host_once(xp):
    losses = []
    for backend in ("numpy", "cupy"):
        model = trainer_of(LANGUAGE_MODEL, backend, "reference").model
        text = small_text(model.xp, words=400).training
        with counted(xp) as transfers:
            losses.append(text_loss(model, text))
    assert losses[1] == pytest.approx(losses[0], rel=1e-12)
    assert len(transfers) == 3  # the words of the full batches, those of the last one, the losses


def write_texts(folder):
    rng = numpy.random.default_rng(1)
    for split, lines in (("train", 30), ("valid", 9), ("test", 9)):
        text = [" ".join(rng.choice(["red", "blue", "green"], 4)) for _ in range(lines)]
        (folder / f"tale.{split}.txt").write_text("\n".join(text))
    return ["--data-dir", folder, "--data-name", "tale"]


def output_of(command, capsys, *argv):
    assert command.main([str(a) for a in argv]) == 0
    return capsys.readouterr().out


def assert_same_output(found, expected, tolerance=0.1):
    """Assert that two outputs have the same words, and the same numbers except for rounding."""
    texts = [re.sub(r" *-?\d+\.\d+", " #", text) for text in (found, expected)]
    assert texts[0] == texts[1]
    numbers = [[float(n) for n in re.findall(r"-?\d+\.\d+", text)] for text in (found, expected)]
    assert numbers[0] == pytest.approx(numbers[1], abs=tolerance)


def test_train_lm_on_a_device(tmp_path, capsys, form, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_lm.py"])
    data = write_texts(tmp_path)
    sizes = "--edim 6 --lindim 3 --nhop 2 --mem-size 5 --batch-size 32 --init-std 0.3"
    rule = "--optimizer adagrad --init-lr 0.1 --averaging 0.5 --word-dropout 0.1 --clip each"
    flags = [*data, *f"{sizes} {rule} --show false --restarts 2".split()]
    on_device = ["--backend", "cupy", "--kernels", form]
    outputs = []
    for n, (first, second) in enumerate([([], []), (on_device, []), ([], on_device)]):
        argv = [*flags, "--checkpoint-dir", tmp_path / str(n)]
        output_of(train_lm, capsys, *argv, "--nepoch", 1, *first)
        outputs.append(output_of(train_lm, capsys, *argv, "--nepoch", 2, "--resume", *second))
    for output in outputs[1:]:
        assert_same_output(output, outputs[0])
    place = ["--checkpoint-dir", tmp_path / "0" / "start-1"]
    for mode in (["--is-test", *data], ["--generate", "red blue", "--explain"]):
        texts = [output_of(train_lm, capsys, *place, *mode, *where) for where in ([], on_device)]
        assert texts[0].count("\n") >= 3
        assert_same_output(*texts)


def test_train_babi_with_memn2n_on_a_device(tmp_path, capsys, form, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_babi.py"])
    sizes = "--batch-size 16 --embedding-size 6 --memory-size 6 --linear-start 1 --quiet"
    flags = ["--model", "memn2n", "--questions-per-task", 60, *sizes.split(), "--restarts", 2]
    on_device = ["--backend", "cupy", "--kernels", form]
    thetas = []
    for n, (first, second) in enumerate([([], []), (on_device, []), ([], on_device)]):
        argv = [*flags, "--checkpoint", tmp_path / str(n)]
        output_of(train_babi, capsys, *argv, "--epochs", 1, *first)
        output_of(train_babi, capsys, *argv, "--epochs", 3, "--resume", *second)
        arrays, metadata = read_arrays(tmp_path / str(n) / "start-1" / "checkpoint.safetensors")
        assert metadata["step"] == 3 * 4
        thetas.append(numpy.concatenate([array.ravel() for array in arrays.values()]))
    for theta in thetas[1:]:
        assert numpy.linalg.norm(theta - thetas[0]) < 1e-5 * numpy.linalg.norm(thetas[0])
    texts = []
    for where in ([], on_device):
        monkeypatch.setattr("sys.stdin", StringIO("Mary moved to the office.\nWhere is Mary?\n"))
        argv = ["--ask", "--checkpoint", tmp_path / "0" / "start-1", *where]
        texts.append(output_of(train_babi, capsys, *argv))
    assert texts[0].count("\n") >= 3
    assert_same_output(*texts, tolerance=0.011)
