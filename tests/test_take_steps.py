"""Training steps and predictions in one compiled call, against the textbook's loop over batches."""

from dataclasses import replace

import numpy
import pytest
from numba import njit

from kvnet import KeyValueMemoryNetwork, Settings, example
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.data.dataset import Dataset, sizes_of, vocabulary_of
from kvnet.kernels import kernel_threads
from kvnet.kernels.parts.question_block import sentences_are_shared
from kvnet.kernels.parts.threads import counters_for, meet, next_piece, piece_done, run_together
from kvnet.training.trainer import Trainer

RECIPE = Settings(batch_size=30, embedding_size=12, feature_size=14, hops=2, epochs=2)


def stories():
    """Task 2's questions: questions of one story share its sentences."""
    return encode_tasks([embedded_task(2, 100)], memory_size=20, random_state=0).training.dataset


def facts(count=70):
    """Keys and values that differ, and hardly a sentence twice."""
    rng = numpy.random.default_rng(1)
    examples = []
    for _ in range(count):
        keys = [f"key{rng.integers(300)} of" for _ in range(rng.integers(1, 7))]
        values = [f"value{rng.integers(300)}" for _ in keys]
        memory = {"keys": keys, "values": values}
        examples.append(example(f"what has {keys[0]}?", answer=values[0], **memory))
    return Dataset(examples, vocabulary_of(examples), sizes_of(examples, 50))


def trainer_of(dataset, recipe, kernels, dtype="float64"):
    M, S = dataset.keys.shape[1], dataset.sentences.shape[1]
    V = int(max(dataset.sentences.max(), dataset.answers.max())) + 1
    config = recipe.new_model(V, (S, M), 0, "numpy", kernels).config
    model = KeyValueMemoryNetwork(**config | {"dtype": dtype}, kernels=kernels)
    return Trainer(model, dataset, recipe, 3)


def outcome(trainer):
    arrays, metadata = trainer.state()
    return arrays | {key: numpy.array(metadata[key] or 0.0) for key in ("loss", "epoch_loss")}


@pytest.mark.parametrize(
    ("data", "change"),
    [
        (stories, {}),
        (stories, {"mask_padding": True}),
        (stories, {"clip_summed_loss": True, "max_grad_norm": 0.5}),
        (stories, {"shuffle_questions": True, "hops": 1, "l2_lambda": 0.0}),
        (facts, {}),
        (facts, {"mask_padding": True, "batch_size": 69}),
    ],
)
def test_steps_are_the_textbooks(data, change):
    dataset, recipe = data(), replace(RECIPE, **change)
    found = []
    for kernels in ("reference", "fused"):
        trainer = trainer_of(dataset, recipe, kernels)
        trainer.train(trainer.batches.steps_per_epoch + 1)  # over an epoch's end
        found.append(outcome(trainer))
    for name, expected in found[0].items():
        error = numpy.linalg.norm(found[1][name] - expected)
        assert error < 1e-12 * max(1e-3, numpy.linalg.norm(expected)), name
    assert (found[1]["m/W_mem"] != 0).any()


def test_both_ways_through_the_memory_are_taken():
    shared = []
    for data in (stories(), facts()):
        filled, rows = (data.keys[:15] != 0).sum(axis=1), numpy.unique(data.keys[:15])
        shared.append(sentences_are_shared(filled, len(rows)))
    assert shared == [True, False]


def test_more_questions_than_blocks():
    dataset, recipe = facts(470), replace(RECIPE, batch_size=460)
    ends = []
    for kernels in ("reference", "fused"):
        trainer = trainer_of(dataset, recipe, kernels)
        trainer.train(2)
        ends.append(trainer.model.theta)
    numpy.testing.assert_allclose(ends[1], ends[0], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("data", [stories, facts])
def test_the_same_bits_for_any_threads_and_any_cut(data):
    dataset, found = data(), []
    for threads, cut in ((1, [5]), (2, [5]), (2, [1, 3, 1]), (3, [2, 3])):
        trainer = trainer_of(dataset, RECIPE, "fused", "float32")
        with kernel_threads(threads):
            for count in cut:
                trainer.train(count)
        found.append({name: array.tobytes() for name, array in outcome(trainer).items()})
    assert found[0] == found[1] == found[2] == found[3]


@pytest.mark.parametrize("mask_padding", [False, True])
@pytest.mark.parametrize("data", [stories, facts])
def test_words_are_the_textbooks(data, mask_padding):
    dataset, recipe = data(), replace(RECIPE, mask_padding=mask_padding)
    fused = trainer_of(dataset, recipe, "fused")
    fused.train(3)
    reference = trainer_of(dataset, recipe, "reference")
    reference.model.theta[:] = fused.model.theta
    found = [m.operations.predict_words(m, dataset) for m in (fused.model, reference.model)]
    assert (found[0] == found[1]).all()
    assert len(set(found[0].tolist())) > 1


def test_other_models_take_the_textbook():
    dataset, recipe = stories(), replace(RECIPE, reader="simple_gru", keep_prob=0.8)
    ends = []
    for kernels in ("reference", "fused"):
        trainer = trainer_of(dataset, recipe, kernels)
        trainer.train(2)
        words = trainer.model.operations.predict_words(trainer.model, dataset)
        ends.append((trainer.model.theta, words))
    numpy.testing.assert_allclose(ends[1][0], ends[0][0], rtol=1e-8, atol=1e-11)
    assert (ends[1][1] == ends[0][1]).all()


@njit(nogil=True)
def _add_up_in_phases(counters, numbers, sums):
    for phase in range(len(sums)):
        piece = next_piece(counters, phase)
        while piece < len(numbers):
            # What the phase before left of the other pieces must be there already.
            numbers[piece] = phase + (sums[phase - 1].sum() if phase else 0)
            sums[phase, piece] = numbers[piece]
            piece_done(counters, phase)
            piece = next_piece(counters, phase)
        meet(counters, phase, len(numbers))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_phase_begins_when_the_one_before_has_ended(threads):
    sums = numpy.zeros((20, 7), numpy.int64)
    with kernel_threads(threads):
        run_together(_add_up_in_phases, counters_for(len(sums)), numpy.zeros(7, numpy.int64), sums)
    total = 0
    for phase, row in enumerate(sums.tolist()):
        assert set(row) == {phase + total}
        total = sum(row)
