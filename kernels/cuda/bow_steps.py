"""Training steps replayed from a CUDA graph where they fit one, else launched one by one."""

from functools import partial
from weakref import WeakKeyDictionary, ref

import numpy

from kvnet.kernels.cuda.answer_loss import in_one_block
from kvnet.kernels.cuda.parts.batch_records import pack
from kvnet.kernels.cuda.parts.compilation import launch
from kvnet.kernels.cuda.noisy_adam import update_one
from kvnet.kernels.cuda.key_value_hops_by_row import Sizes
from kvnet.kernels.cuda.parts.step_graph import StepGraph
from kvnet.models.key_value_memory_network import KeyValueMemoryNetwork
from kvnet.updates.noisy_adam import corrected_rate
from kvnet.training.steps import take_steps as textbook_take_steps

_recorded = WeakKeyDictionary()  # by the first trainer: all trainers, and their graph


def take_steps_side_by_side(trainers, count: int) -> list:
    """Do what `kvnet.training.steps.take_steps_side_by_side` does, all starts in the same launches.

    Parameters and returns: see there.
    """
    if not _fit(trainers):
        return [_take_steps_of_one(trainer, count) for trainer in trainers]
    room = trainers[0].batches.steps_per_epoch
    parts = [_take(trainers, n, min(room, count - n)) for n in range(0, count, room)]
    return list(numpy.concatenate(parts, axis=1))


def _take(trainers, done, count):
    """Take some of the steps, `done` of them before; return their losses, (N, count)."""
    first_steps = [trainer.step + done for trainer in trainers]
    pairs = zip(trainers, first_steps, strict=True)
    rows = numpy.stack([t.batches.next_rows(first, count) for t, first in pairs])  # (N, count, B)
    graph, order = _graph_and_order(trainers, rows)
    rate_at = partial(_corrected_rate, trainers[0].optimizer)
    rates = {first: [rate_at(first + n) for n in range(count)] for first in {*first_steps}}
    rates = numpy.array([rates[first] for first in first_steps])
    return graph.take(trainers, order, numpy.array(first_steps), rates)


def _take_steps_of_one(trainer, count: int):
    """Do what `kvnet.training.steps.take_steps` does; the penalty is part of the update."""
    model, optimizer, losses = trainer.model, trainer.optimizer, []
    if not isinstance(model, KeyValueMemoryNetwork):
        return textbook_take_steps(trainer, count)
    xp, dtype, l2_lambda = model.xp, model.theta.dtype, float(trainer.settings.l2_lambda)
    penalty = xp.empty((), dtype)
    for step in range(trainer.step, trainer.step + count):
        entropy, gradients = model.entropy_and_gradients(trainer.batch(step), step)
        gradient = model.operations.as_vector(xp, gradients)
        vectors = model.theta, gradient, optimizer.m, optimizer.v
        rate = optimizer.learning_rate_at(step)
        squares = update_one(xp, vectors, l2_lambda, step, rate, optimizer.rule)
        arguments = squares, len(squares), 0.5 * l2_lambda, penalty
        launch(xp, dtype, "scaled_sum", 1, arguments)
        losses.append((entropy + penalty).astype("float64"))
    return xp.stack(losses)


def _corrected_rate(optimizer, step):
    return corrected_rate(optimizer.learning_rate_at(step), step)


def _fit(trainers) -> bool:
    """Return whether the kernels hold a question, and the starts differ in their seeds alone."""
    model, first = trainers[0].model, trainers[0]
    if not isinstance(model, KeyValueMemoryNetwork) or model.reader != "bow":
        return False
    (F, D), (V, E), M = model.params["A"].shape, model.params["W"].shape, len(model.params["TK"])
    sizes = Sizes(first.settings.batch_size, M, D, F, model.hops)
    return in_one_block(sizes, model.theta.dtype, V, E) and all(
        trainer.dataset is first.dataset and trainer.settings == first.settings
        for trainer in trainers
    )


def _graph_and_order(trainers, rows):
    """Return a graph with the batches, and which of its records each step takes."""
    first, (N, count, B) = trainers[0], rows.shape
    xp, steps_per_epoch = first.model.xp, first.batches.steps_per_epoch
    vocabulary_size = len(first.model.params["W"])
    same, graph = _recorded.get(first, ((), None))
    if [trainer() for trainer in same] != [*trainers]:
        graph = None
    if first.batches.recurring:  # cut once, from consecutive questions, and the same for all starts
        order = rows[:, :, 0] // B
        if graph is None:
            every = numpy.arange(steps_per_epoch * B).reshape(-1, B)
            layout, records = pack(xp, first.dataset, xp.asarray(every), vocabulary_size)
            graph = _new_graph(trainers, layout, steps_per_epoch)
            graph.use(records)
        return graph, order
    known = graph.layout.U if graph else 0
    rows = xp.asarray(rows.reshape(-1, B))
    layout, records = pack(xp, first.dataset, rows, vocabulary_size, known)
    if graph is None or layout != graph.layout:
        graph = _new_graph(trainers, layout, N * steps_per_epoch)
    graph.use(records)
    return graph, numpy.arange(N * count).reshape(N, count)


def _new_graph(trainers, layout, batches):
    graph = StepGraph(trainers, layout, batches)
    _recorded[trainers[0]] = [ref(trainer) for trainer in trainers], graph
    return graph
