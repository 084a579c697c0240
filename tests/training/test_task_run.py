"""Trainings on questions."""

import numpy
import pytest
from helpers.training import train, train_for

from kvnet import MemN2NRecipe, QuestionAnswerer
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.training.prediction import predict_words
from kvnet.training.task_run import TaskRun


def test_memn2n_learns_task_1():
    data = encode_tasks([embedded_task(1, 500)], 50, 0)
    run = TaskRun(data, MemN2NRecipe(epochs=20, linear_start=8, embedding_size=20), 0)
    train(run)
    assert run.result["testing_accuracy"] > 0.95


@pytest.mark.parametrize("steps", [30, 90], ids=["in linear start", "after linear start"])
def test_a_stopped_memn2n_answers_from_its_checkpoint_as_the_live_model(steps, tmp_path):
    data = encode_tasks([embedded_task(1, 100)], 10, 0)
    recipe = MemN2NRecipe(epochs=100, linear_start=20, embedding_size=8, init_std=0.3)
    run = TaskRun(data, recipe, 0, checkpoint=tmp_path / "checkpoint.safetensors")
    assert 20 * run.trainer.batches.steps_per_epoch == 60
    train_for(run, steps)
    assert run.model.with_softmax == (steps > 60)
    resumed = TaskRun(data, recipe, 0, checkpoint=run.checkpoint)
    resumed.resume()
    dataset = data.testing.dataset
    batch = dataset.batch(numpy.arange(len(dataset)))
    p, attention = run.model.predict_proba(batch)
    for model in (QuestionAnswerer.load(run.checkpoint).model, resumed.model):
        assert model.with_softmax == run.model.with_softmax
        p_again, attention_again = model.predict_proba(batch)
        assert (p_again == p).all() and (attention_again == attention).all()
        assert (predict_words(model, dataset) == predict_words(run.model, dataset)).all()
