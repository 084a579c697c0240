"""A key-value memory network whose keys are hashed again at every hop."""

from dataclasses import dataclass

import numpy

from kvnet.data.fact_data import FactBatch, index_of
from kvnet.hyper_parameter import MOST_HOPS, HyperParameters, at_least_one, hyper_parameter
from kvnet.models.fact_network import FactConfig, FactNetwork, Reading
from kvnet.operations import Candidates, FactIndex, Plan


@dataclass(frozen=True, kw_only=True)
class FactChainOptions(HyperParameters):
    """The hyper-parameters of the network that follows chains of facts."""

    embedding_size: int = at_least_one(64, "D, components of an embedding")
    hops: int = at_least_one(3, "H, facts in a chain at most", "max_hops", MOST_HOPS)
    least_weight: float = hyper_parameter(
        1e-5,
        "a number from 0 to 1",
        lambda x: 0 <= x <= 1,
        "facts that add less than this to the probability of an answer are not read",
    )


@dataclass(frozen=True, kw_only=True)
class FactChainConfig(FactChainOptions, FactConfig):
    """The configuration of a `FactChainNetwork`: its hyper-parameters and its sizes."""


class FactChainNetwork(FactNetwork):
    """Answer from a knowledge base by hops whose memory is what the hop before has read.

    With the question's words x, the entity e_0 that it is about, and facts (s, r, o) in both
    directions:

    .. code-block:: text

        u_0 = sum_j W[x_j]
        H times:  ρ_h = softmax(u Kᵀ)            the relations to follow
                  δ_h = sigmoid(u · g_h)         whether to drop the entity asked about
                  u   = (u + ρ_h K) R_hᵀ
                  e_h[o] = 1 - prod over the facts (s, r, o) of (1 - c e_{h-1}[s] ρ_h[r]),
                           and (1 - δ_h) e_h[o] for the entity asked about
        a = sum_h λ_h e_h  with  λ = softmax(u_H Cᵀ)
        L = sum over the batch of the cross entropy of "is an answer", given a

    An entity has no embedding: the network learns what a question means, and reads the answers from
    the facts. A changed fact therefore changes the answer, and a new entity is found.

    Parameters
    ----------
    config : FactChainConfig
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"

    Attributes
    ----------
    params : dict of str to float array
        ``W (V, D)``; ``K (R, D)``; ``R_1``..``R_H (D, D)``; ``g, C (H, D)``.
    theta, shapes, xp, ops
        As for `Network`.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), section 3; Shi et al. 2021 (TransferNet,
    arXiv 2104.07302), section 3.
    """

    Config = FactChainConfig

    def forward(self, batch: FactBatch):
        """Find the candidates and their probabilities; see `FactNetwork.forward`."""
        readings, _ = self._read_texts(batch)
        of_texts, _ = self._plan(readings)
        relations, drops = (part[:, batch.rows] for part in of_texts[:2])
        plan = Plan(relations, drops, of_texts.hops[batch.rows])
        weights, candidates, _ = self.ops.fact_answers(
            self.xp, FactIndex(*batch.index), batch.asked, plan, self.config.least_weight
        )
        return weights, candidates

    def loss_and_gradient(self, batch: FactBatch, step: int | None = None):
        """Return the loss of a batch and its gradients; see `Network.loss_and_gradient`."""
        xp, ops = self.xp, self.ops
        query, backward_words = self._read_questions(batch)
        plan, backward_plan = self._plan(query)
        weights, candidates, backward_answers = ops.fact_answers(
            xp, FactIndex(*batch.index), batch.asked, plan, self.config.least_weight
        )
        loss, backward_loss = ops.answer_set_loss(
            xp, weights, candidates, batch.answers, batch.answer_starts
        )

        d_query, d_relations, dR, d_gates, d_ends = backward_plan(
            backward_answers(backward_loss(1.0))
        )
        gradients = {"W": backward_words(d_query), "K": d_relations, "g": d_gates, "C": d_ends}
        gradients |= {f"R_{h}": dR_h for h, dR_h in enumerate(dR, start=1)}
        return loss, self.in_order(gradients)

    def read(self, base, words: numpy.ndarray, asked: int) -> Reading:
        """Answer one question, and return what was read on the way; see `FactNetwork.read`."""
        xp, ops = self.xp, self.ops
        index = FactIndex(*map(xp.asarray, index_of(base)))
        plan, _ = self._plan(self.params["W"][words].sum(axis=0, keepdims=True))
        asked = xp.asarray([asked])
        weights, candidates, _ = ops.fact_answers(xp, index, asked, plan, self.config.least_weight)
        e, held, hops = xp.ones(1, self.theta.dtype), Candidates(xp.arange(2), asked), []
        least = xp.full(1, LEAST_SHOWN, self.theta.dtype)
        for h in range(int(plan.hops[0].argmax()) + 1):
            e, reached, (owners, edges, p), _ = ops.read_facts(
                xp, index, held, e, asked, plan.relations[h], plan.drops[h], least
            )
            hops.append((held.entities[owners], edges, p))
            held = reached
        return Reading(candidates.entities, weights, hops)

    def _plan(self, query):
        p = self.params
        return self.ops.relation_hops(self.xp, query, p["K"], self.R, p["g"], p["C"])

    @staticmethod
    def parameter_shapes(config):
        """Return the names and shapes of the parameters; see `Network.parameter_shapes`."""
        c = config
        V, N, D, H = c.vocabulary_size, c.relations, c.embedding_size, c.hops
        shapes = {"W": (V, D), "K": (N, D)}
        return shapes | {f"R_{h}": (D, D) for h in range(1, H + 1)} | {"g": (H, D), "C": (H, D)}


LEAST_SHOWN = 0.01
"""Facts with less weight are left out of an explanation."""
