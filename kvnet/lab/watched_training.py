"""A training that is continued for a while at a time, so that a page can show it."""

import time
import warnings
from math import inf

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from kvnet.data.babi import embedded_task, encode_tasks
from kvnet.errors import InputError, shown
from kvnet.question_answerer import QuestionAnswerer
from kvnet.training.recipes.key_value import KeyValueRecipe
from kvnet.training.recipes.memn2n import MemN2NRecipe
from kvnet.training.run import train_runs
from kvnet.training.task_run import TaskRun

EPOCHS = 40
QUESTIONS = 1000
HOPS = (1, 2, 3, 4, 5)
SIZES = (5, 10, 20, 40, 80)
NETWORKS = ("MemN2N", "Key-Value Memory Network")


def recipe_of(network: str, hops: int, size: int) -> MemN2NRecipe | KeyValueRecipe:
    """Return the recipe of a network of `NETWORKS`, with a number of hops and a size."""
    common = {"hops": hops, "embedding_size": size, "epochs": EPOCHS, "batch_size": 32}
    common["evaluation_interval"] = 1  # epoch
    if network == NETWORKS[0]:
        return MemN2NRecipe(**common, linear_start=15, halving_epochs=10, learning_rate=0.01)
    return KeyValueRecipe(
        **common,
        feature_size=size,
        learning_rate=0.005,
        epsilon=1e-4,
        l2_lambda=0.0,
        shuffle_questions=True,
    )


def _seed_of(text):
    text = text.strip()
    if not (text.isdecimal() and len(text) < 20 and int(text) < 2**32):
        raise InputError(f"the seed is {shown(text)}; write a whole number from 0 to {2**32 - 1:,}")
    return int(text)


class WatchedTraining:
    """A training on the questions of a simulated task.

    Parameters
    ----------
    task : int
        1 to 20.
    network : str
        One of `NETWORKS`.
    hops, size : int
        Number of hops, and dimension of the embeddings.
    seed : str
        A whole number from 0 to 2**32 - 1.

    Attributes
    ----------
    history : list of dict
        A record per epoch, with the loss and the accuracies.

    Raises
    ------
    InputError
        If the seed is not valid.
    """

    def __init__(self, task: int, network: str, hops: int, size: int, seed: str):
        recipe, seed = recipe_of(network, hops, size), _seed_of(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about stories longer than the memory
            data = encode_tasks([embedded_task(task, QUESTIONS)], recipe.memory_size, seed)
        data = data._replace(testing=None)  # not looked at while training
        self._run = TaskRun(data, recipe, seed, kernels="reference")
        self._answerer = QuestionAnswerer(recipe, kernels="reference")
        self._answerer.model, self._answerer.vocabulary = self._run.model, data.vocabulary
        self._answerer.sizes = data.sizes
        self.history = self._run.history

    @property
    def finished(self) -> bool:
        """Whether all epochs are done."""
        return self._run.finished

    @property
    def epoch(self) -> int:
        """The number of completed epochs."""
        return self._run.trainer.epoch

    @property
    def answerer(self) -> QuestionAnswerer:
        """The network as far as it is trained."""
        return self._answerer

    def advance(self, seconds: float = inf) -> None:
        """Train for a while, or to the end."""
        end = time.monotonic() + seconds
        if not self.finished:
            train_runs([self._run], lambda steps: None, lambda: time.monotonic() >= end)

    def state_text(self) -> str:
        """Describe how far the training is."""
        if not self.history:
            return f"epoch 0 of {EPOCHS}: not trained yet"
        last = self.history[-1]
        return (
            f"epoch {self.epoch} of {EPOCHS}: loss {last['loss']:.3f}, accuracy "
            f"{last['training_accuracy']:.3f} on the training questions, "
            f"{last['validation_accuracy']:.3f} on others"
        )

    def curve(self) -> Figure:
        """Draw loss and accuracy against the epoch."""
        drawn = Figure(figsize=(8, 2.8), layout="constrained")
        loss, accuracy = drawn.subplots(1, 2)
        epochs = [record["epoch"] for record in self.history]
        loss.plot(epochs, [record["loss"] for record in self.history], color="tab:red", gid="loss")
        loss.set_ylabel("loss per question")
        styles = {"training": "-", "validation": "--"}
        for name, style in styles.items():
            values = [record[f"{name}_accuracy"] for record in self.history]
            accuracy.plot(epochs, values, style, color="tab:blue", label=name)
        accuracy.set_ylabel("accuracy")
        accuracy.set_ylim(0, 1.03)
        accuracy.legend(loc="lower right")
        for axes in (loss, accuracy):
            axes.set_xlim(0, EPOCHS)
            axes.set_xlabel("epoch")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
        return drawn
