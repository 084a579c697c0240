"""Training steps as a CUDA graph, recorded and replayed on the CPU, or on a GPU if there is one."""

from dataclasses import replace

import numpy
import pytest
from helpers.device_data import assert_near, key_values, new_trainer, stories, train
from helpers.strict_arrays import counted, launched, strict

from kvnet import KeyValueRecipe, renumber
from kvnet.backend import to_numpy
from kvnet.cli.train_babi import main
from kvnet.files.checkpoint import read_arrays
from kvnet.kernels.cuda import bow_steps
from kvnet.kernels.cuda.parts import batch_records, gather, key_value_hops, large_memory
from kvnet.training.bow import questions_of
from kvnet.training.fused_steps import GraphSteps, steps_for, why_not_fused
from kvnet.training.prediction import predict_words
from kvnet.training.steps import Steps

pytestmark = pytest.mark.usefixtures("kernels", "device")
RECIPE = KeyValueRecipe(
    batch_size=5, embedding_size=6, feature_size=7, memory_size=8, max_grad_norm=0.3
)
VARIANTS = {
    "published": {},
    "masked": {"mask_padding": True},
    "shuffled": {"shuffle_questions": True},
    "no penalty, one hop": {"l2_lambda": 0, "hops": 1},
}


def textbook_and_graph(xp, recipe, data=stories):
    """Return a trainer on NumPy and one with CUDA kernels."""
    expected = new_trainer(data(numpy), recipe, "numpy", "reference")
    return expected, new_trainer(data(xp), recipe, "cupy", "fused")


def losses_of(trainer):
    return [trainer.state()[1][name] for name in ("loss", "epoch_loss")]


@pytest.mark.parametrize("data", [stories, key_values])
@pytest.mark.parametrize("variant", VARIANTS)
def test_replayed_steps_equal_textbook_steps(xp, data, variant):
    expected, trainer = textbook_and_graph(xp, replace(RECIPE, **VARIANTS[variant]), data)
    textbook, graph = Steps([expected]), steps_for([trainer])
    assert type(graph) is GraphSteps
    for count in (1, 2, 2):
        for steps in (textbook, graph):
            steps.train(count)
        assert losses_of(trainer)[1] == pytest.approx(losses_of(expected)[1], rel=1e-5)
        assert_near(trainer, expected)


@pytest.mark.parametrize("many", [6, key_value_hops.MANY_QUESTIONS])
@pytest.mark.parametrize("shuffle", [False, True])
def test_models_side_by_side_equal_the_same_models_alone(xp, monkeypatch, shuffle, many):
    for module in (bow_steps, key_value_hops):  # from which on launches are of another form
        monkeypatch.setattr(module, "MANY_QUESTIONS", many)
    recipe, data = replace(RECIPE, shuffle_questions=shuffle), stories(xp)
    seeds = (4, 5 + (1 << 32), 6)
    together, alone = (
        [new_trainer(data, recipe, "cupy", "fused", seed) for seed in seeds] for _ in range(2)
    )
    for trainers in (together, alone):
        train(trainers[1], 2)  # one may have done more steps, as after --resume
    steps_for(together).train(2)
    steps_for(together[::2]).train(1)  # one has finished
    for trainer in alone:
        train(trainer, 2)
    for trainer in alone[::2]:
        train(trainer, 1)
    for one, other in zip(together, alone, strict=True):
        assert one.step == other.step
        assert one.state()[1] == other.state()[1]
        assert (to_numpy(one.model.theta) == to_numpy(other.model.theta)).all()  # the same bits


@pytest.mark.parametrize("models", [1, 3])
def test_nothing_is_copied_between_two_steps(xp, models):
    data = stories(xp)
    steps = steps_for([new_trainer(data, RECIPE, "cupy", "fused", n) for n in range(models)])
    steps.train(1)
    copied, launches = [], []
    for count in (1, 5):
        with counted(xp) as transfers, launched() as kernels:
            steps.train(count)
        copied.append(transfers)
        launches.append(len(kernels))
    # Copied are the order of the batches, the learning rates and the number of the first step, and
    # then the losses, for any number of steps and models. A step is five launches.
    assert copied == [["asarray", "asarray", "asarray", "get"]] * 2
    assert launches == ([5, 25] if xp is strict else [0, 0])


def test_records_of_batches(xp, monkeypatch):
    data = key_values(xp)
    dataset, V = data.training.dataset, len(data.vocabulary)
    rows = xp.asarray(numpy.arange(20).reshape(4, 5))
    layout, records = bow_steps.pack(xp, questions_of(dataset), rows, V)
    monkeypatch.setattr(renumber, "LARGEST_TABLE", 1)  # one batch at a time
    same_layout, same_records = bow_steps.pack(xp, questions_of(dataset), rows, V)
    assert layout == same_layout and (to_numpy(records) == to_numpy(same_records)).all()
    monkeypatch.setattr(batch_records, "SENTENCES_ROUNDED_TO", 1)
    layout, records = bow_steps.pack(xp, questions_of(dataset), rows, V)
    batches = [dataset.batch(part) for part in rows]
    assert max(len(batch.sentences) for batch in batches) == layout.U
    for record, batch in zip(to_numpy(records), batches, strict=True):
        keys = record[layout.keys : layout.values].reshape(5, -1)
        assert (keys == to_numpy(batch.keys)).all()
        words = record[5 * layout.S : layout.keys].reshape(layout.U, layout.S)
        assert (words[: len(batch.sentences)] == to_numpy(batch.sentences)).all()
        for held, count, (order, starts) in (
            (record[layout.values : layout.answers], layout.U, layout.value_places),
            (record[: 5 * layout.S], V, layout.word_places),
        ):
            for row in range(count):
                first, last = record[starts + row : starts + row + 2]
                places = record[order + first : order + last]
                assert (places == numpy.flatnonzero(held == row)).all()


def test_why_steps_are_not_fused_names_questions_that_do_not_fit(xp, monkeypatch):
    _, trainer = textbook_and_graph(xp, RECIPE)
    assert why_not_fused([trainer]) is None
    monkeypatch.setattr(GraphSteps, "serves", lambda trainers, kernel: False)
    reason = why_not_fused([trainer])
    assert "the memory of a GPU's thread blocks cannot hold a question of these sizes" in reason
    assert type(steps_for([trainer])) is Steps


def test_other_models_take_the_textbook_steps(xp):
    expected, trainer = textbook_and_graph(xp, replace(RECIPE, reader="simple_gru"))
    assert type(steps_for([trainer])) is Steps
    for one in (trainer, expected):
        train(one, 2)
    assert_near(trainer, expected)


def test_steps_of_a_large_model(xp, monkeypatch):
    """Its hops are by sentence, and what belongs to a batch is computed once."""
    monkeypatch.setattr(key_value_hops, "SMALL_VOCABULARY", 0)
    monkeypatch.setattr(gather, "LARGEST_SEARCH", 0)
    monkeypatch.setattr(large_memory, "LARGE_MEMORY", 0)
    expected, trainer = textbook_and_graph(xp, RECIPE)
    epoch = trainer.batches.steps_per_epoch
    train(trainer, epoch)
    with counted(xp) as transfers, launched() as kernels:
        train(trainer, epoch - 1)
    assert transfers == []
    if xp is strict:
        assert {"softmax_by_sentence", "softmax_by_sentence_backward"} <= {*kernels}
        assert "chain_slots" not in kernels
    train(expected, 2 * epoch - 1)
    assert_near(trainer, expected)
    assert losses_of(trainer) == pytest.approx(losses_of(expected), rel=1e-5)


def test_a_wide_model_with_slots_that_no_batch_has(xp):
    recipe, trainers = replace(RECIPE, embedding_size=150), []
    for module, backend, kernels in ((numpy, "numpy", "reference"), (xp, "cupy", "fused")):
        data = stories(module)
        sizes = data.sizes._replace(memory_size=data.sizes.memory_size + 20)
        trainers.append(new_trainer(data._replace(sizes=sizes), recipe, backend, kernels))
    expected, trainer = trainers
    for one in trainers:
        train(one, 3)
    assert_near(trainer, expected)
    on_host, on_device = (predict_words(one.model, one.dataset) for one in trainers)
    assert (to_numpy(on_device) == on_host).all()


def test_restarts_of_the_command_train_side_by_side(tmp_path, capsys):
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


def test_a_training_continues_on_the_other_backend(tmp_path):
    sizes = "--batch-size 20 --embedding-size 6 --feature-size 7 --memory-size 8 --quiet"
    argv = f"--questions-per-task 70 --task-id 1 --restarts 2 {sizes} --checkpoint".split()
    thetas = []
    for n, (first, second) in enumerate([("numpy", "numpy"), ("cupy", "numpy"), ("numpy", "cupy")]):
        folder = str(tmp_path / str(n))
        assert main([*argv, folder, "--backend", first, "--epochs", "1"]) == 0
        assert main([*argv, folder, "--backend", second, "--epochs", "2", "--resume"]) == 0
        arrays, metadata = read_arrays(f"{folder}/start-1/checkpoint.safetensors")
        assert metadata["step"] == 6
        thetas.append(numpy.concatenate([array.ravel() for array in arrays.values()]))
    expected, *others = thetas
    for theta in others:
        assert numpy.linalg.norm(theta - expected) < 1e-5 * numpy.linalg.norm(expected)
