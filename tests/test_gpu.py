"""The same model on a GPU. These need one: ``pytest -m gpu``."""

import numpy
import pytest

from kvnet import InputError, Settings
from kvnet.backend import array_module, to_numpy
from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.training.trainer import Trainer

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cupy():
    try:
        return array_module("cupy")
    except InputError as error:
        pytest.skip(f"no GPU to run on: {error}")


@pytest.mark.parametrize("reader", ["bow", "simple_gru"])
def test_three_steps_equal_the_cpu(cupy, reader):
    recipe = Settings(batch_size=16, embedding_size=12, feature_size=14, reader=reader)
    params = []
    for backend, xp in (("numpy", numpy), ("cupy", cupy)):
        data = encode_tasks([embedded_task(2, 100)], 20, random_state=0, xp=xp)
        model = recipe.new_model(len(data.vocabulary), data.sizes, 0, backend, "reference")
        trainer = Trainer(model, data.training.dataset, recipe, 0)
        for _ in range(3):
            trainer.train(1)
        params.append({name: to_numpy(theta) for name, theta in model.params.items()})
    for name, expected in params[0].items():
        error = numpy.linalg.norm(params[1][name] - expected) / numpy.linalg.norm(expected)
        assert error < 1e-5, name
