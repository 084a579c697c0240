"""The End-To-End Memory Network for question answering (Sukhbaatar et al. 2015, section 4)."""

from dataclasses import MISSING, dataclass
from pathlib import Path

import msgspec
import numpy

from kvnet.data.batch import Batch
from kvnet.files.checkpoint import read_metadata
from kvnet.hyper_parameter import (
    HyperParameters,
    at_least_one,
    hyper_parameter,
    number_of_hops,
    one_of,
    positive,
)
from kvnet.models.network import Network, NetworkConfig

TYINGS = ("adjacent", "layerwise")
ENCODINGS = ("matlab", "paper", "bow")


@dataclass(frozen=True, kw_only=True)
class MemN2NOptions(HyperParameters):
    """The hyper-parameters of MemN2N; the defaults are the published ones for joint training."""

    embedding_size: int = at_least_one(50, "E, components of a word's embedding")
    hops: int = number_of_hops(3)
    tying: str = one_of("adjacent", TYINGS, "which hops share embedding tables")
    encoding: str = one_of("matlab", ENCODINGS, "position encoding of the words in a sentence")
    time_noise: float = hyper_parameter(
        0.1,
        "a number from 0 to 1",
        lambda x: 0 <= x <= 1,
        "largest number of random time gaps in training, per sentence of the story",
    )
    init_std: float = positive(0.1, "standard deviation of the initial weights")


@dataclass(frozen=True, kw_only=True)
class MemN2NConfig(MemN2NOptions, NetworkConfig):
    """The configuration of a MemN2N: its hyper-parameters and its sizes.

    `vocabulary_size` and `sentence_size` do not count the time words.
    """

    sentence_size: int = at_least_one(MISSING, "S, words per sentence")
    memory_size: int = at_least_one(MISSING, "M, slots")


class _Mode(msgspec.Struct):
    """The metadata of a MemN2N's file that other models do not have."""

    with_softmax: bool


class MemN2N(Network):
    """Answer a question with a word, by hops over the sentences of a story.

    With the reader ``r_T(x) = sum_j l_j ⊙ T[x_j]`` by a table T and position encoding l, and
    sentences x_i that end in a time word (0 for the most recent):

    .. code-block:: text

        adjacent tying:    u = r_{T_1}(q)
                           for h = 1..H:  p_i = softmax_i( u · r_{T_h}(x_i) )
                                          u   = u + sum_i p_i r_{T_{h+1}}(x_i)
                           L = - sum over the batch of  log softmax( u T_{H+1}ᵀ )[answer]
        layer-wise tying:  u = r_B(q)
                           H times:  p_i = softmax_i( u · r_A(x_i) )
                                     u   = u Hᵀ + sum_i p_i r_C(x_i)
                           L = - sum over the batch of  log softmax( u Wᵀ )[answer]

    An empty slot has a zero key and a zero value, and takes part in the softmax.

    Parameters
    ----------
    config : MemN2NConfig
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"

    Attributes
    ----------
    params : dict of str to float array
        Embedding tables (V + M, E), for words and then time words: ``T_1..T_{H+1}``, or layer-wise
        ``A, B, C, W`` and the matrix ``H (E, E)``.
    with_softmax : bool
        The mode of `forward` and of the loss, saved with the model. False replaces the softmax by
        its input, as in the first epochs of training ("linear start").
    theta, shapes, xp, ops
        As for `Network`.

    References
    ----------
    Sukhbaatar et al. 2015 (arXiv 1503.08895), sections 2 and 4.
    """

    Config = MemN2NConfig

    def __init__(self, config: MemN2NConfig, backend: str = "numpy", kernels: str = "auto"):
        self.with_softmax, self.adjacent = True, config.tying == "adjacent"
        # The names of the tables: of the question, of each memory, of the answer.
        names = [f"T_{n}" for n in range(1, config.hops + 2)]
        adjacent, layerwise = (names[0], names, names[-1]), ("B", ["A", "C"], "W")
        self._tables = adjacent if self.adjacent else layerwise
        super().__init__(config, backend, kernels)
        xp, V, M, S = self.xp, config.vocabulary_size, config.memory_size, config.sentence_size
        E, dtype, J = config.embedding_size, config.dtype, config.sentence_size + 1
        self._time_words = xp.arange(V, V + M)
        self._encoding, self._encoding_by_length = xp.ones((J, E), dtype), None
        if config.encoding == "matlab":
            self._encoding = self.ops.centred_position_encoding(xp, J, E, dtype)
        elif config.encoding == "paper":
            fixed, by_length = self.ops.own_length_encoding(xp, S, E, dtype)
            self._encoding[:-1] = fixed  # the time word, which is last, has weight 1
            self._encoding_by_length = xp.pad(by_length, ((0, 1), (0, 0)))

    @property
    def nil_rows(self) -> tuple[str, ...]:
        """Names of the tables whose row 0 is the nil word's and stays zero: all tables."""
        return tuple(name for name in self.shapes if name != "H")

    def forward(self, batch: Batch):
        """Score every word, and every time word, as the answer; see `Network.forward`."""
        _, _, answer_table = self._tables
        u, attention, _ = self._hop(batch, None)
        scores, _ = self.ops.word_scores(self.xp, u, self.params[answer_table])
        return scores, attention

    def loss_and_gradient(self, batch: Batch, step: int | None = None):
        """Return the loss of a batch and its gradients; see `Network.loss_and_gradient`."""
        _, _, answer_table = self._tables
        u, _, backward_hops = self._hop(batch, step)
        loss, backward_entropy = self.ops.word_cross_entropy(
            self.xp, u, self.params[answer_table], batch.answer
        )

        du, d_table = backward_entropy(1.0)
        gradients = backward_hops(du)
        gradients[answer_table] = gradients.get(answer_table, 0) + d_table
        return loss, self.in_order(gradients)

    def _hop(self, batch, step):
        """Read and hop, to u after the last hop; backward returns gradients by parameter name."""
        xp, p, ops, c = self.xp, self.params, self.ops, self.config
        query_table, memory_tables, _ = self._tables
        query, words, rows = self._with_times(batch, step)
        u, backward_query = self._read(query, query_table)
        readings, backward_reads = zip(*(self._read(words, t) for t in memory_tables), strict=True)
        if self.adjacent:
            u, attention, backward_hops = ops.adjacent_hops_by_row(
                xp, u, readings, rows, self.with_softmax
            )
        else:
            u, attention, backward_hops = ops.layerwise_hops_by_row(
                xp, u, *readings, p["H"].T, rows, c.hops, self.with_softmax
            )

        def backward(du):
            gradients = {}
            if self.adjacent:
                du, d_readings = backward_hops(du)
            else:
                du, *d_readings, dH_transposed = backward_hops(du)
                gradients["H"] = dH_transposed.T
            for table, backward_read, d in zip(
                memory_tables, backward_reads, d_readings, strict=True
            ):
                gradients[table] = backward_read(d)
            gradients[query_table] = gradients.get(query_table, 0) + backward_query(du)
            return gradients

        return u, attention, backward

    def _read(self, words, table):
        """Read sentences that end in a time word, ``(N, J)`` to ``(N, E)``."""
        xp, ops, T = self.xp, self.ops, self.params[table]
        readings, backward = ops.embedding_sum(xp, words, T, self._encoding)
        if self._encoding_by_length is None:
            return readings, backward
        by_length, backward_by_length = ops.embedding_sum(xp, words, T, self._encoding_by_length)
        lengths = (words[:, :-1] != 0).sum(axis=1)[:, None]
        share = 1 / xp.maximum(lengths, 1).astype(self.config.dtype)  # 1 for a time word alone

        def backward_both(d_readings):
            return backward(d_readings) + backward_by_length(share * d_readings)

        return readings + share * by_length, backward_both

    def _with_times(self, batch, step):
        """Return the sentences, with the times as further sentences, and the rows of each slot.

        Returns
        -------
        query : (B, J) integer array
        words : (U + M, J) integer array
            The different sentences, then each time index as a sentence of one time word.
        rows : (B, M, 2) integer array
            The sentence and the time of each slot; 0 for an empty slot.
        """
        xp, ops, c = self.xp, self.ops, self.config
        M, (U, S) = c.memory_size, batch.sentences.shape
        query = xp.zeros((len(batch.query), S + 1), batch.query.dtype)  # a question has no time
        words = xp.zeros((U + M, S + 1), batch.sentences.dtype)
        query[:, :S], words[:U, :S], words[U:, S] = batch.query, batch.sentences, self._time_words
        rows = ops.slots_with_times(
            xp, batch.keys, U, M - 1, c.time_noise, c.random_state, step, ops.uniform
        )
        return query, words, rows

    def state(self) -> tuple[dict, dict]:
        """Return the content of a file, the mode included; see `Network.state`."""
        arrays, metadata = super().state()
        return arrays, metadata | {"with_softmax": self.with_softmax}

    def restore_mode(self, path: str | Path, metadata: dict) -> None:
        """Set the mode that `state` stored."""
        self.with_softmax = read_metadata(path, metadata, _Mode).with_softmax

    @staticmethod
    def parameter_shapes(config: MemN2NConfig) -> dict[str, tuple[int, ...]]:
        """Return the parameters' names and shapes; see `Network.parameter_shapes`."""
        c = config
        V, E = c.vocabulary_size + c.memory_size, c.embedding_size
        if c.tying == "adjacent":
            return {f"T_{n}": (V, E) for n in range(1, c.hops + 2)}
        return dict.fromkeys("ABCW", (V, E)) | {"H": (E, E)}

    def _initial_value(self, name, shape):
        c, purpose = self.config, f"starting weights {name}"
        z = self.ops.normal(self.xp, c.random_state, purpose, 0, shape, c.dtype, self.ops.uniform)
        value = z * numpy.dtype(c.dtype).type(c.init_std)
        if name in self.nil_rows:
            value[0] = 0
        return value
