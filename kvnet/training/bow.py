"""The models and the data of the bow reader, as arguments of its kernels."""

from kvnet.data.dataset import Dataset
from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.models.key_value_memory_network import KeyValueMemoryNetwork
from kvnet.models.network import Network


def is_bow(model: Network) -> bool:
    """Return whether a model is one that the kernels for the bow reader compute."""
    return isinstance(model, KeyValueMemoryNetwork) and model.config.reader == "bow"


def bow_model(model: KeyValueMemoryNetwork) -> BowModel:
    """Return a model's arrays and sizes."""
    c = model.config
    return BowModel(model.theta, model.shapes, c.hops, model.encoding, c.mask_padding)


def questions_of(dataset: Dataset) -> Questions:
    """Return the arrays of a data set."""
    d = dataset
    return Questions(d.sentences, d.queries, d.keys, d.values, d.answers)
