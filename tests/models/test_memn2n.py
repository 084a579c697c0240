"""MemN2N for bAbI: its gradients, its formula, its blanks, its schedule, its command."""

import csv
import json
from io import StringIO

import numpy
import pytest
from conftest import random_batch

from kvnet import InputError
from kvnet.cli.published import published_memn2n
from kvnet.cli.train_babi import main
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.survey import survey_random_cases
from kvnet.models import MemN2N
from kvnet.operations import centred_position_encoding, own_length_encoding
from kvnet.operations.slots_with_times import slots_with_times
from kvnet.training.optimizers.stepped_sgd import SteppedSgd
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NSettings
from kvnet.training.task_run import TaskRun
from kvnet.updates.spectral_sgd import clip_by_spectral_norm

SUBJECT = MODELS["memn2n"]
E = 6


def small_model(**options):
    return MemN2N(13, 4, 5, **({"embedding_size": E, "dtype": "float64", "hops": 3} | options))


@pytest.mark.parametrize("variant", SUBJECT.combinations(), ids=str)
def test_gradients_of_every_parameter(variant):
    plans = [("complex_step", "float64")]
    found = survey_random_cases(SUBJECT, variant, plans, numpy, examples=4, seed=0)
    assert found.failure is None
    sizes = {"tying": variant["tying"], "hops": 3}
    assert set(found.rows) == {f"params[{name!r}]" for name in small_model(**sizes).params}
    assert max(row.error for by_plan in found.rows.values() for row in by_plan.values()) <= 1e-12


def test_the_encodings_are_the_formulas():
    matlab = centred_position_encoding(numpy, 5, 4, "float64")
    fixed, by_length = own_length_encoding(numpy, 7, 4, "float64")
    paper = fixed + by_length / 5  # of a sentence of five words, where the longest has seven
    for j in range(1, 6):
        for k in range(1, 5):
            centred = 1 + 4 * (k - 5 / 2) * (j - 6 / 2) / (4 * 5)
            assert matlab[j - 1, k - 1] == pytest.approx(centred, rel=1e-14)
            own = (1 - j / 5) - (k / 4) * (1 - 2 * j / 5)
            assert paper[j - 1, k - 1] == pytest.approx(own, abs=1e-14)


def weighed(words, time, encoding, table):
    """Read a sentence word by word, its time as one more at the last place."""
    weights, own = centred_position_encoding(numpy, 5, E, "float64"), sum(words != 0)
    if encoding == "paper":
        weights = numpy.ones((5, E))
        for j, k in numpy.ndindex(own, E):
            weights[j, k] = 1 - (j + 1) / own - ((k + 1) / E) * (1 - 2 * (j + 1) / own)
    return sum(weights[j] * table[word] for j, word in enumerate([*words, time]) if word)


def slot(model, batch, b, i, table):
    words = batch.sentences[batch.keys[b, i]]
    time = 13 + i if batch.keys[b, i] else 0
    return weighed(words, time, model.config["encoding"], table)


@pytest.mark.parametrize("encoding", ["matlab", "paper"])
@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("tying", ["adjacent", "layerwise"])
def test_the_model_is_the_formula(rng, tying, linear, encoding):
    model = small_model(tying=tying, encoding=encoding, init_std=0.5)
    batch = random_batch(rng)
    model.linear = linear
    p = model.params
    scores, attention = model.forward(batch)
    B, W = (p["T_1"], p["T_4"]) if tying == "adjacent" else (p["B"], p["W"])
    for b in range(len(batch.query)):
        u = weighed(batch.query[b], 0, encoding, B)
        for hop in range(3):
            A = p[f"T_{hop + 1}"] if tying == "adjacent" else p["A"]
            C = p[f"T_{hop + 2}"] if tying == "adjacent" else p["C"]
            weights = numpy.array([u @ (slot(model, batch, b, i, A) + 0 * u) for i in range(5)])
            if not linear:
                weights = numpy.exp(weights) / numpy.exp(weights).sum()
            numpy.testing.assert_allclose(attention[hop, b], weights, rtol=1e-11, atol=1e-13)
            o = sum(weights[i] * slot(model, batch, b, i, C) for i in range(5))
            u = o + (u if tying == "adjacent" else p["H"] @ u)
        expected = W @ u
        expected[0] = 0  # nil
        numpy.testing.assert_allclose(scores[b], expected, rtol=1e-10, atol=1e-12)
    assert scores.shape[1] == 13 + 5  # the time words are answers too


def test_blanks_spread_the_times():
    keys = numpy.where(numpy.arange(20) < numpy.array([20, 10, 1])[:, None], 7, 0)
    spread = numpy.zeros(2, int)
    for step in range(300):
        rows = slots_with_times(numpy, keys, 30, 19, 0.1, 0, step)
        assert (rows[..., 0] == keys).all() and ((rows[..., 1] > 0) == (keys > 0)).all()
        times = rows[..., 1] - 30
        for n, row in zip((20, 10, 1), times, strict=True):
            assert (numpy.diff(row[:n]) >= (n != 20)).all()  # in order; only the last may be capped
            assert row[:n].max() <= min(n - 1 + -(-n // 10), 19)
        spread[int(times[1, 9] > 9)] += 1
    # b is 0 or 1 for ten sentences; with a blank the last time stays at ten once in eleven.
    assert spread[1] / 300 == pytest.approx(0.5 * 10 / 11, abs=0.08)
    rows = slots_with_times(numpy, keys, 30, 19, 0.1, 0, None)
    assert (rows[0, :, 1] == 30 + numpy.arange(20)).all()


def test_a_matrix_is_clipped_by_its_largest_singular_value(rng):
    g = rng.normal(size=(30, 6))
    largest = numpy.linalg.svd(g, compute_uv=False)[0]
    clipped = clip_by_spectral_norm(numpy, g, largest / 2)
    numpy.testing.assert_allclose(clipped, g / 2, rtol=1e-10)
    # Its Frobenius norm is above the bound and its spectral norm below: nothing to clip.
    numpy.testing.assert_allclose(clip_by_spectral_norm(numpy, g, largest * 1.01), g, rtol=1e-12)


def test_the_schedule_is_the_published_one():
    joint, single = MEMN2N_PRESETS["memn2n-joint"], MEMN2N_PRESETS["memn2n-single"]
    for settings, start, halving in ((joint, 30, 15), (single, 20, 25)):
        optimizer = SteppedSgd(None, settings, steps_per_epoch=10)
        rates = [optimizer.learning_rate_at(10 * epoch) for epoch in range(settings.epochs)]
        assert set(rates[: start + halving]) == {0.005}
        assert rates[start + halving] == 0.0025 and rates[-1] == 0.005 / 2**3
        assert settings.loss_options(0, start - 1)["linear"]
        assert not settings.loss_options(0, start)["linear"]
    assert (joint.embedding_size, single.embedding_size) == (50, 20)


def test_a_step_descends_and_nil_stays_zero(rng):
    model, batch = small_model(), random_batch(rng)
    settings = MemN2NSettings()
    optimizer = SteppedSgd(model, settings, steps_per_epoch=10)
    before = float(model.loss_and_gradient(batch)[0])
    for step in range(20):
        optimizer.update(model.loss_and_gradient(batch)[1], step)
    assert float(model.loss_and_gradient(batch)[0]) < before
    assert all((theta[0] == 0).all() for theta in model.params.values())


def test_it_answers_task_1():
    data = encode_tasks([embedded_task(1, 500)], 50, 0)
    settings = MemN2NSettings(epochs=20, linear_start=8, embedding_size=20)
    run = TaskRun(data, settings, 0)
    run.train(lambda count: None, lambda: False)
    assert run.result["testing_accuracy"] > 0.95


def test_published_tables():
    assert sum(published_memn2n(True, 1000).accuracy.values()) / 20 == pytest.approx(
        0.876, abs=5e-4
    )
    single = published_memn2n(False, 1000).accuracy
    assert sum(single.values()) / 20 == pytest.approx(0.862, abs=1e-3)
    assert published_memn2n(True, 10_000) is None


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_babi.py"])
    flags = [
        "--model",
        "memn2n",
        "--questions-per-task",
        "100",
        "--epochs",
        "4",
        "--linear-start",
        "2",
    ]
    flags += ["--evaluation-interval", "2", "--restarts", "2", "--choose-by", "training"]
    log, scores = tmp_path / "log", tmp_path / "scores"
    assert main([*flags, "--log-file", str(log), "--output-file", str(scores)]) == 0
    out, err = capsys.readouterr()
    assert "Published (MemN2N, 1k single)" in out
    records = [json.loads(line) for line in log.read_text().splitlines()]
    last = [record for record in records if record["epoch"] == 4]
    best = min(last, key=lambda record: record["loss"])
    assert f"start {best['start']}: loss {best['loss']:.4f}" in err.split("  <- chosen")[0]
    rows = list(csv.reader(scores.read_text().splitlines()))
    assert float(rows[1][1]) == best["testing_accuracy"]
    for arguments, message in [
        (["--reader", "bow"], "--reader is no flag of this model"),
        (["--preset", "kv-joint"], "--preset kv-joint is none of --model memn2n"),
        (["--tying", "all"], "tying='all' is out of range; it takes adjacent or layerwise"),
    ]:
        assert main([*flags, *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_training_that_diverges_ends_with_one_line(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_babi.py"])
    flags = ["--model", "memn2n", "--questions-per-task", "100", "--linear-start", "0", "--quiet"]
    assert main([*flags, "--epochs", "2", "--learning-rate", "1e20"]) == 2
    err = capsys.readouterr().err
    assert "the training diverged; set learning_rate below 1e+20" in err and err.count("\n") == 1


def test_a_resumed_run_has_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_babi.py"])
    flags = ["--model", "memn2n", "--questions-per-task", "100", "--linear-start", "2", "--quiet"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert main([*flags, "--epochs", "5", "--checkpoint", str(whole)]) == 0
    assert main([*flags, "--epochs", "3", "--checkpoint", str(parts)]) == 0
    assert main([*flags, "--epochs", "5", "--checkpoint", str(parts), "--resume"]) == 0
    one, two = (MemN2N.load(folder / "checkpoint.safetensors") for folder in (whole, parts))
    assert (one.theta == two.theta).all()


def test_a_trained_one_can_be_asked(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train_babi.py"])
    flags = ["--model", "memn2n", "--questions-per-task", "300", "--epochs", "12", "--quiet"]
    assert main([*flags, "--linear-start", "6", "--checkpoint", str(tmp_path)]) == 0
    capsys.readouterr()
    monkeypatch.setattr("sys.stdin", StringIO("Mary moved to the office.\nWhere is Mary?\n"))
    assert main(["--ask", "--checkpoint", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "  (probability 0." in lines[0]
    assert lines[1] == "hop 1 hop 2 hop 3"
    assert lines[2].endswith("1 Mary moved to the office.")


@pytest.mark.parametrize(("argument", "value"), [("tying", "none"), ("encoding", "x"), ("hops", 0)])
def test_arguments_out_of_range(argument, value):
    with pytest.raises(InputError, match=f"{argument}={value!r} is out of range; it takes"):
        small_model(**{argument: value})
