"""The Key-Value Memory Network on a knowledge base, as published: one memory per question."""

from dataclasses import MISSING, dataclass

import numpy

from kvnet.data.fact_data import FactBatch, index_of
from kvnet.hyper_parameter import MOST_HOPS, HyperParameters, at_least_one
from kvnet.models.fact_network import FactConfig, FactNetwork, Reading
from kvnet.operations import Candidates, FactIndex
from kvnet.updates.row_gradient import RowGradient

INITIAL_NORM = 3.0
"""Norm of an initial embedding: a matching key then scores well above a thousand others."""


@dataclass(frozen=True, kw_only=True)
class FactMemoryOptions(HyperParameters):
    """The hyper-parameters of the network with one memory per question."""

    embedding_size: int = at_least_one(64, "D, components of an embedding")
    hops: int = at_least_one(2, "H, reads of the memory", "max_hops", MOST_HOPS)
    memory_steps: int = at_least_one(1, "facts within this many steps of the entity are read")
    memory_size: int = at_least_one(1000, "facts per question at most")
    frequent: int = at_least_one(100, "entities in more facts than this are no way to others")


@dataclass(frozen=True, kw_only=True)
class FactMemoryConfig(FactMemoryOptions, FactConfig):
    """The configuration of a `FactMemoryNetwork`: its hyper-parameters and its sizes."""

    entities: int = at_least_one(MISSING, "N, entities with an embedding")


class FactMemoryNetwork(FactNetwork):
    """Answer from the facts around an entity, by hops over them.

    With the question's words x, the entity e that it is about, and facts (s, r, o) in both
    directions:

    .. code-block:: text

        u = sum_j W[x_j] + E[e]
        H times:  p_i = softmax_i( u · (E[s_i] + K[r_i]) )
                  u   = (u + sum_i p_i E[o_i]) R_hᵀ
        answer: softmax over the memory's values y of u · E[y]
        L = - sum over the batch of the mean of log p over the right answers

    The memory is the facts within `memory_steps` steps of the entity, at most `memory_size`: with
    one step it is the paper's key hashing by the entity.

    Parameters
    ----------
    config : FactMemoryConfig
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"

    Attributes
    ----------
    params : dict of str to float array
        ``W (V, D)``; ``E (N, D)``; ``K (R, D)``; ``R_1``..``R_H (D, D)``.
    theta, shapes, xp, ops
        As for `Network`.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3. As published except for the optimiser, the
    loss of several answers, and the candidates, which are the values of the memory.
    """

    Config = FactMemoryConfig

    def forward(self, batch: FactBatch):
        """Find the candidates and their probabilities; see `FactNetwork.forward`."""
        query, _ = self._read_questions(batch)
        memories = self.memories(FactIndex(*batch.index), batch.asked)
        scores, candidates, _, _ = self._answers(query, memories)
        log_p, _ = self.ops.softmax_by_question(self.xp, scores, candidates.starts)
        return self.xp.exp(log_p), named_candidates(candidates, memories)

    def loss_and_gradient(self, batch: FactBatch, step: int | None = None):
        """Return the loss of a batch and its gradients; see `Network.loss_and_gradient`."""
        xp, ops = self.xp, self.ops
        query, backward_words = self._read_questions(batch)
        memories = self.memories(FactIndex(*batch.index), batch.asked)
        scores, candidates, _, backward_answers = self._answers(query, memories)
        loss, backward_loss = ops.answer_set_cross_entropy(
            xp, scores, named_candidates(candidates, memories), batch.answers, batch.answer_starts
        )

        d_query, d_entities, d_relations, dR = backward_answers(backward_loss(1.0))
        known = memories.present < self.config.entities
        gradients = {
            "W": backward_words(d_query),
            "E": RowGradient(memories.present[known], d_entities[known]),
            "K": d_relations,
        }
        gradients |= {f"R_{h}": dR_h for h, dR_h in enumerate(dR, start=1)}
        return loss, self.in_order(gradients)

    def read(self, base, words: numpy.ndarray, asked: int) -> Reading:
        """Answer one question, and return what was read on the way; see `FactNetwork.read`."""
        xp = self.xp
        index = FactIndex(*map(xp.asarray, index_of(base)))
        query = self.params["W"][words].sum(axis=0, keepdims=True)
        memories = self.memories(index, xp.asarray([asked]))
        scores, candidates, attention, _ = self._answers(query, memories)
        log_p, _ = self.ops.softmax_by_question(xp, scores, candidates.starts)
        owners = memories.present[memories.keys]
        hops = [(owners, memories.edges, p) for p in attention]
        entities = named_candidates(candidates, memories).entities
        return Reading(entities, xp.exp(log_p), hops, int(memories.left_out[0]))

    def facts_cut(self, batch: FactBatch):
        """Return the number of facts that each question's memory has no room for, (B,)."""
        return self.memories(FactIndex(*batch.index), batch.asked).left_out

    def memories(self, index: FactIndex, asked):
        """Return the memory of each question, `FactMemories`."""
        c = self.config
        return self.ops.find_memories(
            self.xp, index, asked, c.memory_steps, c.memory_size, c.frequent
        )

    def _answers(self, query, memories):
        xp, p, N = self.xp, self.params, self.config.entities
        # An entity that was not there in training has an embedding of zero.
        known = (memories.present < N)[:, None]
        entities = p["E"][xp.minimum(memories.present, N - 1)] * known
        return self.ops.memory_answers(xp, query, entities, p["K"], self.R, memories)

    @staticmethod
    def parameter_shapes(config):
        """Return the names and shapes of the parameters; see `Network.parameter_shapes`."""
        c = config
        D = c.embedding_size
        shapes = {"W": (c.vocabulary_size, D), "E": (c.entities, D), "K": (c.relations, D)}
        return shapes | {f"R_{h}": (D, D) for h in range(1, c.hops + 1)}

    def _initial_value(self, name, shape):
        value = super()._initial_value(name, shape)
        if name in ("E", "K"):
            return INITIAL_NORM * value
        if name == "W":
            return 0.1 * INITIAL_NORM * value
        # Nearly the identity: what a hop reads matches the keys of the next one as it is.
        return self.xp.eye(*shape, dtype=value.dtype) + 0.1 * value


def named_candidates(candidates: Candidates, memories) -> Candidates:
    """Return candidates as entities of the base, given them as positions in memories."""
    return Candidates(candidates.starts, memories.present[candidates.entities])
