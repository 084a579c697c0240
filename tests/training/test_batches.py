"""The schedule of batches: fixed, shuffled, and drawn from a text."""

import numpy
import pytest

from kvnet import InputError
from kvnet.training.batches import Batches, RandomBatches, VariedBatches


@pytest.mark.parametrize(("questions", "batch", "steps"), [(18_000, 50, 359), (900, 32, 28)])
def test_fixed_batches_are_consecutive_questions_in_a_new_order_every_epoch(
    questions, batch, steps
):
    batches = Batches(questions, batch, shuffle_questions=False, random_state=0)
    assert batches.steps_per_epoch == steps
    rows = batches.next_rows(0, 2 * steps)
    assert (rows == rows[:, :1] + numpy.arange(batch)).all()
    epochs = rows[:steps, 0].tolist(), rows[steps:, 0].tolist()
    for firsts in epochs:
        assert sorted(firsts) == [batch * s for s in range(steps)]  # the last batch is dropped
    assert epochs[0] != epochs[1]


def test_shuffled_questions_are_drawn_again_every_epoch():
    batches = Batches(100, 10, shuffle_questions=True, random_state=0)
    epochs = [batches.next_rows(10 * epoch, 10).reshape(-1) for epoch in (0, 1)]
    assert all(sorted(rows) == list(range(100)) for rows in epochs)
    assert (epochs[0] != epochs[1]).any()


def test_too_few_questions_for_a_batch():
    with pytest.raises(InputError, match="batch_size=50 cannot be filled from 50 training"):
        Batches(50, 50, shuffle_questions=False, random_state=0)


def test_targets_are_drawn_from_the_whole_text():
    batches = RandomBatches(words=1000, batch_size=128, random_state=0, first=4)
    assert batches.steps_per_epoch == 8
    drawn = batches.next_rows(0, 200)
    assert drawn.min() == 4 and drawn.max() == 999
    assert len(numpy.unique(drawn)) == 996
    assert (drawn[3] != drawn[4]).any()


@pytest.mark.parametrize(
    "batches",
    [
        Batches(100, 7, shuffle_questions=False, random_state=2),
        Batches(100, 7, shuffle_questions=True, random_state=2),
        RandomBatches(100, 7, random_state=2, first=5),
    ],
    ids=["fixed", "shuffled", "random"],
)
def test_rows_of_a_step_do_not_depend_on_the_steps_before(batches):
    many = batches.next_rows(3, 30)  # more than an epoch
    assert many.shape == (30, 7)
    for step in (32, 3, 17):
        assert (batches.next_rows(step, 1)[0] == many[step - 3]).all()


def test_each_epoch_has_the_next_variant():
    plain = Batches(20, 5, True, 3)
    varied = VariedBatches(Batches(20, 5, True, 3), 20, variants=3)
    assert varied.steps_per_epoch == 4 and not varied.recurring
    rows = varied.next_rows(2, 14)  # from the middle of epoch 0 into epoch 3
    epochs = numpy.arange(2, 16) // 4
    assert (rows - plain.next_rows(2, 14) == 20 * (epochs % 3)[:, None]).all()
