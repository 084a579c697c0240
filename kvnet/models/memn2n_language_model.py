"""The End-To-End Memory Network language model (Sukhbaatar et al. 2015, arXiv 1503.08895)."""

from dataclasses import dataclass

import numpy

from kvnet.data.batch import Context
from kvnet.errors import InputError
from kvnet.hyper_parameter import (
    HyperParameters,
    at_least_one,
    hyper_parameter,
    number_of_hops,
    positive,
)
from kvnet.models.network import Network, NetworkConfig
from kvnet.operations import ContextMemory
from kvnet.updates.row_gradient import RowGradient


def _share(help):
    return hyper_parameter(0.0, "a number from 0, below 1", lambda x: 0 <= x < 1, help)


@dataclass(frozen=True, kw_only=True)
class LanguageModelOptions(HyperParameters):
    """The hyper-parameters of the language model; the defaults are published."""

    embedding_size: int = at_least_one(150, "E, components of a word's embedding", flag="edim")
    linear_size: int = hyper_parameter(
        75,
        "a whole number from 0 to the embedding size",
        lambda n: n >= 0,
        "components of the query that a hop does not rectify",
        flag="lindim",
    )
    hops: int = number_of_hops(6, flag="nhop")
    memory_size: int = at_least_one(100, "M, words before the target", flag="mem_size")
    initial_query: float = hyper_parameter(
        0.1,
        "a number between -1e37 and 1e37",
        lambda x: abs(x) < 1e37,
        "value of every component of the first query",
        flag="init_hid",
    )
    init_std: float = positive(0.05, "standard deviation of the initial weights")
    dropout: float = _share("probability of dropping a component of the last query in training")
    word_dropout: float = _share("probability of dropping a word from the memories of a step")

    def __post_init__(self):
        super().__post_init__()
        if self.linear_size > self.embedding_size:
            raise InputError(
                f"{self.setting('linear_size', self.linear_size)} is out of range; it takes a "
                f"whole number from 0 to {self.setting('embedding_size', self.embedding_size)}"
            )


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(LanguageModelOptions, NetworkConfig):
    """The configuration of a language model: its hyper-parameters and its vocabulary's size."""


class MemN2NLanguageModel(Network):
    """Predict the next word of a text, by hops over the M words before it.

    With the words x_i before the target, x_1 the nearest, and the first L components linear:

    .. code-block:: text

        u_0 = initial_query in every component
        H times:  p_i = softmax_i( u · (A[x_i] + TA_i) )
                  u   = partial_relu_L( u C + sum_i p_i (B[x_i] + TB_i) )
        L = - sum over the batch of  log softmax( u_H Wᵀ )[target]

    Parameters
    ----------
    config : LanguageModelConfig
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"

    Attributes
    ----------
    params : dict of str to float array
        ``A, B (V, E)`` embed words for matching and for reading; ``TA, TB (M, E)`` are temporal
        encodings; ``C (E, E)`` maps the query between hops; ``W (V, E)`` is the output.
    theta, shapes, xp, ops
        As for `Network`.

    References
    ----------
    Sukhbaatar et al. 2015, section 5, which has no dropout. Zaremba et al. 2014, "Recurrent neural
    network regularization", for `dropout` before the output; Gal and Ghahramani 2016, "A
    theoretically grounded application of dropout in recurrent neural networks", for `word_dropout`.
    """

    Config = LanguageModelConfig

    def forward(self, batch: Context):
        """Score every word of the vocabulary as the next one; see `Network.forward`."""
        u, attention, _ = self._hop(batch, None)
        scores, _ = self.ops.word_scores(self.xp, u, self.params["W"], nil=False)
        return scores, attention

    def loss(self, batch: Context):
        """Return the cross entropy, summed over the batch, without dropout."""
        u, _, _ = self._hop(batch, None)
        loss, _ = self.ops.word_cross_entropy(self.xp, u, self.params["W"], batch.target, nil=False)
        return loss

    def loss_and_gradient(self, batch: Context, step: int | None = None):
        """Return the loss of a batch and its gradients; see `Network.loss_and_gradient`.

        The batch has all M slots. The gradients of A and B are `RowGradient`.
        """
        u, _, backward_hops = self._hop(batch, step)
        u, backward_dropout = self._dropout("dropout", step, u.shape)(u)
        loss, backward_entropy = self.ops.word_cross_entropy(
            self.xp, u, self.params["W"], batch.target, nil=False
        )

        du, dW = backward_entropy(1.0)
        return loss, backward_hops(backward_dropout(du)) | {"W": dW}

    def _hop(self, batch, step):
        """Hop over the contexts, to u_H; backward returns gradients by parameter name."""
        xp, p, c = self.xp, self.params, self.config
        words, (B, M) = batch.words, batch.slots.shape
        drop = self._dropout("word_dropout", step, (len(words), 1))
        keys, backward_keys = drop(p["A"][words])  # (U, E)
        values, backward_values = drop(p["B"][words])
        u = xp.full((B, c.embedding_size), c.initial_query, p["C"].dtype)
        memory = ContextMemory(keys, values, p["TA"][:M], p["TB"][:M], batch.slots)
        u, attention, backward_hops = self.ops.context_hops_by_row(
            xp, u, memory, p["C"], c.hops, c.linear_size
        )

        def backward(du):
            _, d, dC = backward_hops(du)
            # Each word appears once in `words`, so the gradient of its row is that of its reading.
            dA = RowGradient(words, backward_keys(d.key_readings))
            dB = RowGradient(words, backward_values(d.value_readings))
            return {"A": dA, "B": dB, "TA": d.TK, "TB": d.TV, "C": dC}

        return u, attention, backward

    def _dropout(self, name, step, shape):
        """Return a function that applies dropout, with the same choice at each call."""
        c, rate = self.config, getattr(self.config, name)
        if step is None or rate == 0:
            return lambda x: (x, lambda dy: dy)
        uniforms = self.ops.uniform(self.xp, c.random_state, name, step, shape, c.dtype)
        return lambda x: self.ops.dropout(self.xp, x, uniforms, 1 - rate)

    @staticmethod
    def parameter_shapes(config: LanguageModelConfig) -> dict[str, tuple[int, ...]]:
        """Return the parameters' names and shapes; see `Network.parameter_shapes`."""
        c = config
        V, E, M = c.vocabulary_size, c.embedding_size, c.memory_size
        return {"A": (V, E), "B": (V, E), "TA": (M, E), "TB": (M, E), "C": (E, E), "W": (V, E)}

    def _initial_value(self, name, shape):
        c, purpose = self.config, f"starting weights {name}"
        z = self.ops.normal(self.xp, c.random_state, purpose, 0, shape, c.dtype, self.ops.uniform)
        return z * numpy.dtype(c.dtype).type(c.init_std)
