"""What the models that answer from a knowledge base have in common."""

from abc import abstractmethod
from dataclasses import MISSING, dataclass
from typing import NamedTuple

import numpy

from kvnet.data.fact_data import FactBatch
from kvnet.hyper_parameter import at_least_one
from kvnet.models.network import Network, NetworkConfig
from kvnet.operations import Candidates
from kvnet.parameter_vector import sections_of
from kvnet.updates.row_gradient import RowGradient


@dataclass(frozen=True, kw_only=True)
class FactConfig(NetworkConfig):
    """The configuration of a model that answers from a knowledge base."""

    relations: int = at_least_one(MISSING, "R, relations in both directions")


class Reading(NamedTuple):
    """What a model read for one question.

    Attributes
    ----------
    entities : (n,) integer array
        The candidates.
    probabilities : (n,) float array
    hops : list of tuple of (f,) arrays
        Per hop, the facts that were read: the entity in whose row of the index each is, its
        position in the index, and its weight.
    cut : int
        The number of facts that the memory had no room for.
    """

    entities: numpy.ndarray
    probabilities: numpy.ndarray
    hops: list[tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]]
    cut: int = 0


class FactNetwork(Network):
    """A model that answers questions from the facts of a knowledge base.

    A subclass provides what `Network` asks for and `read`. Its parameters include ``W (V, D)``, the
    embeddings of the questions' words.
    """

    @property
    def R(self):
        """The hop matrices as one (H, D, D) view: R_1..R_H are contiguous in `theta`."""
        H, D = self.config.hops, self.config.embedding_size
        start, _ = sections_of(self.shapes)["R_1"]
        return self.theta[start : start + H * D * D].reshape(H, D, D)

    @property
    def nil_rows(self) -> tuple[str, ...]:
        """Names of the tables whose row 0 is the nil word's and stays zero."""
        return ("W",)

    @abstractmethod
    def forward(self, batch: FactBatch):
        """Find the candidates and their probabilities.

        Parameters
        ----------
        batch : FactBatch
            Its answers are not used.

        Returns
        -------
        weights : (n,) float array
            The probability of each candidate.
        candidates : Candidates
        """

    @abstractmethod
    def read(self, base, words: numpy.ndarray, asked: int) -> Reading:
        """Answer one question, and return what was read on the way.

        Parameters
        ----------
        base : KnowledgeBase
            With the relations of the base that the model was trained on.
        words : (n,) integer array
            The ids of the question's words.
        asked : int
            The entity that it is about.

        Returns
        -------
        reading : Reading
        """

    def facts_cut(self, batch: FactBatch):
        """Return the number of facts that each question's memory has no room for, (B,)."""
        return self.xp.zeros(len(batch.asked), "int64")

    def predict_proba(self, batch: FactBatch):
        """Return the candidates and their probabilities; see `forward`."""
        return self.forward(batch)

    def predict(self, batch: FactBatch):
        """Return the most probable answers.

        Parameters
        ----------
        batch : FactBatch
            Its answers are not used.

        Returns
        -------
        entities : (B,) int64 array
            -1 where there is no candidate.
        """
        weights, candidates = self.forward(batch)
        return self.best(weights, candidates)

    def best(self, weights, candidates: Candidates):
        """Return the candidate of each question with the largest weight; the first of equals."""
        positions = self.ops.largest_by_question(self.xp, weights, candidates.starts)
        if not len(weights):
            return positions
        return self.xp.where(positions >= 0, candidates.entities[positions], -1)

    def _read_questions(self, batch):
        """Read the questions, (B, D); backward returns the gradient of some rows of ``W``."""
        readings, backward_texts = self._read_texts(batch)
        query, backward_rows = self.ops.take_rows(self.xp, readings, batch.rows)
        return query, lambda d_query: backward_texts(backward_rows(d_query))

    def _read_texts(self, batch):
        """Read the texts as bags of words, (U, D); backward returns the gradient of some rows."""
        xp, texts = self.xp, batch.texts
        every_word = xp.ones((texts.shape[1], self.params["W"].shape[1]), self.theta.dtype)
        readings, backward_sum = self.ops.embedding_sum(
            xp, texts, self.params["W"][batch.words], every_word
        )

        def backward(d_readings):
            return RowGradient(batch.words, backward_sum(d_readings))

        return readings, backward

    def _initial_value(self, name, shape):
        c, ops = self.config, self.ops
        purpose = f"starting weights {name}"
        value = ops.normal(self.xp, c.random_state, purpose, 0, shape, c.dtype) * shape[-1] ** -0.5
        if name in self.nil_rows:
            value[0] = 0
        return value
