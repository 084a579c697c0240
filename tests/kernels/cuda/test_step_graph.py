"""The training step as a CUDA graph, recorded and replayed on the processor, or a GPU."""

from dataclasses import replace

import numpy
import pytest
from strict_arrays import counted, launched, strict

from kvnet import Settings, example
from kvnet.backend import to_numpy
from kvnet.files.checkpoint import read_arrays
from kvnet.cli.train_babi import main
from kvnet import renumber as distinct
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.dataset import Dataset, sizes_of, vocabulary_of
from kvnet.kernels.cuda import (
    answer_loss,
    batch_records,
    gather,
    large_memory,
    take_steps_side_by_side,
)
from kvnet.kernels.cuda.parts.cached_per_array import once_an_array
from kvnet.training.trainer import Trainer, train_side_by_side

pytestmark = pytest.mark.usefixtures("kernels", "device")
RECIPE = Settings(batch_size=5, embedding_size=6, feature_size=7, memory_size=8, max_grad_norm=0.3)
VARIANTS = {
    "as published": {},
    "masked": {"mask_padding": True},
    "shuffled": {"shuffle_questions": True},
    "no penalty, one hop": {"l2_lambda": 0, "hops": 1},
}


def stories(xp):
    task = encode_tasks([embedded_task(2, 60)], RECIPE.memory_size, random_state=0, xp=xp)
    return task.training.dataset, len(task.vocabulary), task.sizes


def key_values(xp):
    """Return questions of memories whose keys and values differ, some slots empty."""
    rng = numpy.random.default_rng(3)
    words = numpy.array([f"w{n}" for n in range(9)])

    def sentences(count):
        return [" ".join(rng.choice(words, rng.integers(1, 4))) for _ in range(count)]

    examples = [
        example(sentences(1)[0], keys=sentences(n), values=sentences(n), answer=rng.choice(words))
        for n in rng.integers(1, 7, 32)
    ]
    vocabulary, sizes = vocabulary_of(examples), sizes_of(examples, RECIPE.memory_size)
    return Dataset(examples, vocabulary, sizes, xp), len(vocabulary), sizes


def trainer_of(data, seed, recipe, backend, kernels):
    dataset, vocabulary_size, sizes = data
    model = recipe.new_model(vocabulary_size, sizes, seed, backend, kernels)
    return Trainer(model, dataset, recipe, seed)


def assert_near(trainer, expected):
    for got, right in (
        (trainer.model.theta, expected.model.theta),
        (trainer.optimizer.m, expected.optimizer.m),
        (trainer.optimizer.v, expected.optimizer.v),
    ):
        error = numpy.linalg.norm(to_numpy(got) - right)
        assert error < 1e-5 * numpy.linalg.norm(right)
    assert trainer.step == expected.step


@pytest.mark.parametrize("data", [stories, key_values])
@pytest.mark.parametrize("variant", VARIANTS)
def test_replayed_steps_are_the_textbook_s(xp, data, variant):
    recipe = replace(RECIPE, **VARIANTS[variant])
    expected = trainer_of(data(numpy), 0, recipe, "numpy", "reference")
    trainer = trainer_of(data(xp), 0, recipe, "cupy", "fused")
    for count in (1, 2, 2):
        losses = [expected.model.operations.take_steps(expected, count)]
        got = trainer.model.operations.take_steps_side_by_side([trainer], count)
        numpy.testing.assert_allclose(got, losses, rtol=1e-5)
        for one in (trainer, expected):
            one.step += count
        assert_near(trainer, expected)


@pytest.mark.parametrize("shuffle", [False, True])
def test_starts_side_by_side_are_those_in_turn(xp, shuffle):
    recipe, data = replace(RECIPE, shuffle_questions=shuffle), stories(xp)
    seeds = (4, 5 + (1 << 32), 6)
    together = [trainer_of(data, seed, recipe, "cupy", "fused") for seed in seeds]
    alone = [trainer_of(data, seed, recipe, "cupy", "fused") for seed in seeds]
    for trainers in (together, alone):
        trainers[1].train(2)  # a start may have come further, as after --resume
    train_side_by_side(together, 2)
    train_side_by_side(together[::2], 1)  # one has finished
    for trainer in alone:
        trainer.train(2)
    for trainer in alone[::2]:
        trainer.train(1)
    for one, other in zip(together, alone, strict=True):
        assert one.step == other.step
        assert one.state()[1] == other.state()[1]
        assert (to_numpy(one.model.theta) == to_numpy(other.model.theta)).all()  # the same bits


@pytest.mark.parametrize("starts", [1, 3])
def test_between_two_steps_nothing_is_copied(xp, starts):
    data = stories(xp)
    trainers = [trainer_of(data, seed, RECIPE, "cupy", "fused") for seed in range(starts)]
    train_side_by_side(trainers, 1)
    copied, launches = [], []
    for count in (1, 5):
        with counted(xp) as transfers, launched() as kernels:
            train_side_by_side(trainers, count)
        copied.append(transfers)
        launches.append(len(kernels))
    # The batches' order, the learning rates and where to begin go there, the losses come back,
    # however many steps and starts there are; a step is five launches.
    assert copied == [["asarray", "asarray", "asarray", "get"]] * 2
    assert launches == ([5, 25] if xp is strict else [0, 0])


def test_batches_are_packed_some_at_a_time(xp, monkeypatch):
    dataset, V, _ = key_values(xp)
    rows = xp.asarray(numpy.arange(20).reshape(4, 5))
    layout, records = batch_records.pack(xp, dataset, rows, V)
    monkeypatch.setattr(distinct, "CELLS_AT_A_TIME", 1)
    same_layout, same = batch_records.pack(xp, dataset, rows, V)
    assert layout == same_layout and (to_numpy(records) == to_numpy(same)).all()
    monkeypatch.setattr(batch_records, "ROUNDED_UP_TO", 1)
    layout, records = batch_records.pack(xp, dataset, rows, V)
    batches = [dataset.batch(part) for part in rows]
    assert max(len(batch.sentences) for batch in batches) == layout.U
    for record, batch in zip(to_numpy(records), batches, strict=True):
        keys = record[layout.keys : layout.values].reshape(5, -1)
        assert (keys == to_numpy(batch.keys)).all()
        words = record[5 * layout.S : layout.keys].reshape(layout.U, layout.S)
        assert (words[: len(batch.sentences)] == to_numpy(batch.sentences)).all()
        for held, rows, (order, starts) in (
            (record[layout.values : layout.answers], layout.U, layout.value_places),
            (record[: 5 * layout.S], V, layout.word_places),
        ):
            for row in range(rows):
                first, last = record[starts + row : starts + row + 2]
                places = record[order + first : order + last]
                assert (places == numpy.flatnonzero(held == row)).all()


def test_what_does_not_fit_a_graph_is_launched_step_by_step(xp, monkeypatch):
    monkeypatch.setattr(take_steps_side_by_side, "StepGraph", None)
    gru = replace(RECIPE, reader="simple_gru")
    expected = trainer_of(stories(numpy), 0, gru, "numpy", "reference")
    trainer = trainer_of(stories(xp), 0, gru, "cupy", "fused")
    for one in (trainer, expected):
        one.train(2)
    assert_near(trainer, expected)


def test_a_large_model_s_steps(xp, monkeypatch):
    """Read by sentence; what belongs to a batch is found once; nothing is waited for."""
    monkeypatch.setattr(answer_loss, "SMALL_VOCABULARY", 0)
    monkeypatch.setattr(gather, "LOOKS", 0)
    monkeypatch.setattr(large_memory, "LARGE", 0)
    expected = trainer_of(stories(numpy), 0, RECIPE, "numpy", "reference")
    trainer = trainer_of(stories(xp), 0, RECIPE, "cupy", "fused")
    epoch = trainer.batches.steps_per_epoch
    trainer.train(epoch)
    with counted(xp) as transfers, launched() as kernels:
        trainer.train(epoch - 1)
    assert transfers == []
    if xp is strict:
        assert {"softmax_by_sentence", "softmax_by_sentence_back"} <= {*kernels}
        assert "chain_slots" not in kernels
    expected.train(epoch)
    expected.train(epoch - 1)
    assert_near(trainer, expected)
    for loss in ("loss", "epoch_loss"):
        got, right = (one.state()[1][loss] for one in (trainer, expected))
        assert got == pytest.approx(right, rel=1e-5)


def test_what_is_kept_for_an_array_goes_with_it(xp):
    calls = []
    twice = once_an_array(lambda xp, array, n: calls.append(n) or n)
    array = xp.zeros(3)
    assert [twice(xp, array, n) for n in (1, 1, 2)] == [1, 1, 2] and calls == [1, 2]
    del array
    assert twice(xp, xp.zeros(3), 1) == 1 and calls == [1, 2, 1]


def test_restarts_of_the_command_train_side_by_side(xp, tmp_path, monkeypatch, capsys):
    sizes = "--batch-size 20 --embedding-size 6 --feature-size 7 --epochs 1 --memory-size 8"
    argv = f"--questions-per-task 70 --task-id 1 --restarts 2 {sizes} --log-file".split()
    results = {}
    for backend in ("numpy", "cupy"):
        log = tmp_path / backend
        assert main([*argv, str(log), "--backend", backend]) == 0
        output = capsys.readouterr()
        assert output.err.count("<- chosen") == 1
        results[backend] = output.out, log.read_text().count("\n"), output.err.count("\nstart 1:")
    assert results["numpy"] == results["cupy"]
    assert results["numpy"][1] == 2


def test_a_training_goes_on_on_the_other_backend(xp, tmp_path):
    sizes = "--batch-size 20 --embedding-size 6 --feature-size 7 --memory-size 8 --quiet"
    argv = f"--questions-per-task 70 --task-id 1 --restarts 2 {sizes} --checkpoint".split()
    places = {"there": ("cupy", "numpy"), "back": ("numpy", "cupy"), "here": ("numpy", "numpy")}
    found = []
    for folder, (first, second) in places.items():
        folder = str(tmp_path / folder)
        assert main([*argv, folder, "--backend", first, "--epochs", "1"]) == 0
        assert main([*argv, folder, "--backend", second, "--epochs", "2", "--resume"]) == 0
        arrays, metadata = read_arrays(f"{folder}/start-1/checkpoint.safetensors")
        assert metadata["step"] == 6
        found.append(numpy.concatenate([array.ravel() for array in arrays.values()]))
    *others, expected = found
    for other in others:
        assert numpy.linalg.norm(other - expected) < 1e-5 * numpy.linalg.norm(expected)


@pytest.mark.parametrize("backend", ["numpy", "cupy"])
def test_steps_of_a_wide_model_with_slots_that_no_batch_has(xp, backend):
    recipe = replace(RECIPE, embedding_size=150)
    trainers = []
    for kind, kernels in (("numpy", "reference"), (backend, "fused")):
        dataset, vocabulary_size, sizes = stories(xp if kind == "cupy" else numpy)
        sizes = sizes._replace(memory_size=sizes.memory_size + 20)
        trainers.append(trainer_of((dataset, vocabulary_size, sizes), 0, recipe, kind, kernels))
    expected, trainer = trainers
    for one in trainers:
        one.train(3)
    assert_near(trainer, expected)
    here, there = (one.model.operations.predict_words(one.model, one.dataset) for one in trainers)
    assert (to_numpy(there) == here).all()
