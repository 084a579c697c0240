"""Answers to all questions of a data set where it lies: no batch is packed, nothing waited for."""

from kvnet.kernels.cuda.answer_loss import in_one_block
from kvnet.kernels.cuda.parts.compilation import numbers
from kvnet.kernels.cuda.key_value_hops_by_row import Sizes, launch_questions
from kvnet.models.key_value_memory_network import Batch, KeyValueMemoryNetwork

QUESTIONS_AT_A_TIME = 2000


def predict_words(model, dataset):
    """Do what `kvnet.training.prediction.predict_words` does, a small model's in one launch.

    Each sentence of the data set is read once, and a slot names it by the data set's own number.

    Parameters and returns: see `kvnet.training.prediction.predict_words`.
    """
    if isinstance(model, KeyValueMemoryNetwork) and model.reader == "bow":
        p, (N, M) = model.params, dataset.keys.shape
        (F, D), (V, E) = p["A"].shape, p["W"].shape
        sizes = Sizes(N, M, D, F, model.hops)
        if in_one_block(sizes, model.theta.dtype, V, E):
            return _in_one_launch(model, dataset, sizes, V, E)
    starts = range(0, len(dataset), QUESTIONS_AT_A_TIME)
    parts = [_with_all_sentences(dataset, slice(n, n + QUESTIONS_AT_A_TIME)) for n in starts]
    return model.xp.concatenate([model.predict(part) for part in parts])


def _with_all_sentences(dataset, rows) -> Batch:
    """Make a batch without looking for the sentences that it has."""
    keys = dataset.keys[rows]
    values = keys if dataset.values is dataset.keys else dataset.values[rows]
    words = dataset.sentences[dataset.queries[rows]]
    return Batch(words, dataset.sentences, keys, values, dataset.answers[rows])


def _in_one_launch(model, dataset, sizes, V, E):
    xp, p, read = model.xp, model.params, model.operations.embedding_sum
    query, _ = read(xp, dataset.sentences[dataset.queries], p["W"], model.encoding)
    readings, _ = read(xp, dataset.sentences, p["W_mem"], model.encoding)
    keys = numbers(xp, dataset.keys)
    values = keys if dataset.values is dataset.keys else numbers(xp, dataset.values)
    words = xp.empty(sizes.B, "int64")
    # The hop matrices stand one after another.
    arguments = [*sizes, query, readings, p["TK"], p["TV"], p["A"], p["R_1"]]
    arguments += [keys, values, keys, int(model.mask_padding), E, V, p["B"], p["W_mem"], words]
    launch_questions(xp, model.theta.dtype, "answer_words", sizes, arguments, E + V)
    return words
