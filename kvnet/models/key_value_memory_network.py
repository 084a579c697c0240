"""The Key-Value Memory Network (Miller et al. 2016, arXiv 1606.03126)."""

from dataclasses import MISSING, dataclass

from kvnet.data.batch import Batch
from kvnet.errors import InputError
from kvnet.hyper_parameter import (
    HyperParameters,
    at_least_one,
    hyper_parameter,
    number_of_hops,
    one_of,
    true_or_false,
)
from kvnet.models.network import Network, NetworkConfig
from kvnet.operations import GruWeights, Memory
from kvnet.parameter_vector import sections_of

READERS = ("bow", "simple_gru")


@dataclass(frozen=True, kw_only=True)
class KeyValueOptions(HyperParameters):
    """The hyper-parameters of the Key-Value Memory Network; the defaults are published."""

    embedding_size: int = at_least_one(40, "E, components of a word's embedding")
    feature_size: int = at_least_one(50, "F, components of the query during the hops")
    hops: int = number_of_hops(3)
    reader: str = one_of("bow", READERS, "sentence reader")
    keep_prob: float = hyper_parameter(
        1.0,
        "a number in (0, 1]",
        lambda x: 0 < x <= 1,
        "probability of keeping a component in dropout",
    )
    mask_padding: bool = true_or_false(False, "leave empty slots out of the softmax")

    def __post_init__(self):
        super().__post_init__()
        if self.keep_prob < 1 and self.reader == "bow":
            raise InputError(
                f"{self.setting('keep_prob', self.keep_prob)} has no effect with "
                f"{self.setting('reader', 'bow')}; use {self.setting('reader', 'simple_gru')} or "
                f"leave {self.setting('keep_prob')} at 1"
            )


@dataclass(frozen=True, kw_only=True)
class KeyValueConfig(KeyValueOptions, NetworkConfig):
    """The configuration of a Key-Value Memory Network: its hyper-parameters and its sizes."""

    sentence_size: int = at_least_one(MISSING, "S, words per sentence")
    memory_size: int = at_least_one(MISSING, "M, slots")


class KeyValueMemoryNetwork(Network):
    """Answer a question with a word, by hops over a memory of key-value slots.

    With the reader r, the question q, the keys k_i and the values v_i:

    .. code-block:: text

        u_0 = r(q) Aᵀ
        H times:  p_i = softmax_i( u · (r(k_i) + TK_i) Aᵀ )
                  o   = sum_i p_i (r(v_i) + TV_i) Aᵀ
                  u   = (u + o) R_hᵀ
        L = - sum over the batch of  log softmax( u_H B W_memᵀ )[answer]

    The reader embeds the words of questions by ``W`` and those of the memory by ``W_mem``:

    - ``bow``: ``r(x) = sum_j enc_j ⊙ W[x_j]`` with position encoding ``enc``; ``D = E``.
    - ``simple_gru``: the last state of a GRU over the words, then dropout; ``D = F``.

    By default an empty slot takes part in the softmax, as published: its key is its temporal
    encoding ``TK_i``. `mask_padding` leaves it out. ``docs/one_question.md`` follows one question
    through all of this and back.

    Parameters
    ----------
    config : KeyValueConfig
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"

    Attributes
    ----------
    params : dict of str to float array
        ``W, W_mem (V, E)``; ``A (F, D)``; ``TK, TV (M, D)``; ``R_1``..``R_H (F, F)``; ``B (F, E)``.
        For simple_gru also the `GruWeights` of each reader, prefixed ``memory_`` and ``query_``.
    encoding : (S, E) float array
        Position encoding of the bow reader.
    theta, shapes, xp, ops
        As for `Network`.

    References
    ----------
    Miller et al. 2016 (arXiv 1606.03126), sections 3.1 and 4.
    """

    Config = KeyValueConfig

    def __init__(self, config: KeyValueConfig, backend: str = "numpy", kernels: str = "auto"):
        super().__init__(config, backend, kernels)
        self.encoding = self.ops.position_encoding(
            self.xp, config.sentence_size, config.embedding_size, config.dtype
        )

    @property
    def nil_rows(self) -> tuple[str, ...]:
        """Names of the tables whose row 0 is the nil word's and stays zero."""
        return ("W", "W_mem")

    @property
    def R(self):
        """The hop matrices as one (H, F, F) view: R_1..R_H are contiguous in `theta`."""
        H, F = self.config.hops, self.config.feature_size
        start, _ = sections_of(self.shapes)["R_1"]
        return self.theta[start : start + H * F * F].reshape(H, F, F)

    def forward(self, batch: Batch):
        """Score every word of the vocabulary as the answer; see `Network.forward`."""
        xp, p, ops = self.xp, self.params, self.ops
        query, _ = self._read_query(batch, None)
        memory, _ = self._read_memory(batch, None)
        u, attention, _ = ops.key_value_hops_by_row(xp, query, memory, p["A"], self.R)
        h, _ = ops.matrix_product(xp, u, p["B"])  # (B, E)
        scores, _ = ops.word_scores(xp, h, p["W_mem"])
        return scores, attention

    def loss_and_gradient(self, batch: Batch, step: int | None = None):
        """Return the loss of a batch and its gradients; see `Network.loss_and_gradient`."""
        xp, p, ops = self.xp, self.params, self.ops
        query, backward_query = self._read_query(batch, step)  # (B, D)
        memory, backward_memory = self._read_memory(batch, step)
        loss, backward_loss = ops.answer_loss(
            xp, query, memory, p["A"], self.R, p["B"], p["W_mem"], batch.answer
        )

        d = backward_loss(1.0)
        gradients = {"A": d.A, "B": d.output_map}
        gradients |= {f"R_{h}": dR_h for h, dR_h in enumerate(d.R, start=1)}
        gradients |= backward_query(d.query) | backward_memory(d.memory)
        gradients["W_mem"] = gradients["W_mem"] + d.table  # it reads the memory and is the output
        return loss, self.in_order(gradients)

    def _read_query(self, batch, step):
        """Read the questions to ``(B, D)``; backward returns gradients by parameter name."""
        query, backward_reader = self._read(batch.query, "W", "query")
        query, backward_dropout = self._drop(query, "query", step)

        def backward(d_query):
            return backward_reader(backward_dropout(d_query))

        return query, backward

    def _read_memory(self, batch, step):
        """Read the memory's sentences; backward takes a `Memory` of gradients."""
        xp, p, M = self.xp, self.params, batch.keys.shape[1]
        readings, backward_reader = self._read(batch.sentences, "W_mem", "memory")  # (U, D)
        readings, key_rows, value_rows, backward_dropout = self._drop_slots(readings, batch, step)
        allowed = batch.keys != 0 if self.config.mask_padding else None
        memory = Memory(readings, p["TK"][:M], p["TV"][:M], key_rows, value_rows, allowed)

        def backward(d):
            temporal, unused = {"TK": d.TK, "TV": d.TV}, len(p["TK"]) - M
            if unused:  # slots that a smaller batch does not have
                rows = ((0, unused), (0, 0))
                temporal = {name: xp.pad(dT, rows) for name, dT in temporal.items()}
            return temporal | backward_reader(backward_dropout(d.readings))

        return memory, backward

    def _drop_slots(self, readings, batch, step):
        """Drop components of each slot's reading independently: each slot gets a copy to drop."""
        xp, ops = self.xp, self.ops
        if not self._drops(step):
            return readings, batch.keys, batch.values, _identity
        same = batch.values is batch.keys
        rows = batch.keys[None] if same else xp.stack([batch.keys, batch.values])  # (1 or 2, B, M)
        copies, backward_copies = ops.take_rows(xp, readings, rows.reshape(-1))
        dropped, backward_dropout = self._drop(copies, "memory", step)
        new_rows = xp.arange(rows.size).reshape(rows.shape)

        def backward(d_dropped):
            return backward_copies(backward_dropout(d_dropped))

        return dropped, new_rows[0], new_rows[-1], backward

    def _read(self, words, table, part):
        """Read sentences ``(N, S)`` to ``(N, D)``; backward returns gradients by parameter name."""
        xp, p, ops = self.xp, self.params, self.ops
        if self.config.reader == "bow":
            readings, backward_sum = ops.embedding_sum(xp, words, p[table], self.encoding)
            return readings, lambda d_readings: {table: backward_sum(d_readings)}
        weights = GruWeights(*(p[f"{part}_{field}"] for field in GruWeights._fields))
        readings, backward_gru = ops.gru_reading(xp, words, p[table], weights)

        def backward(d_readings):
            d_table, d_weights = backward_gru(d_readings)
            named = {f"{part}_{field}": d for field, d in d_weights._asdict().items()}
            return {table: d_table} | named

        return readings, backward

    def _drops(self, step):
        return step is not None and self.config.keep_prob < 1

    def _drop(self, x, part, step):
        if not self._drops(step):
            return x, _identity
        c, purpose = self.config, f"dropout {part}"
        uniforms = self.ops.uniform(self.xp, c.random_state, purpose, step, x.shape, c.dtype)
        return self.ops.dropout(self.xp, x, uniforms, c.keep_prob)

    @staticmethod
    def parameter_shapes(config: KeyValueConfig) -> dict[str, tuple[int, ...]]:
        """Return the parameters' names and shapes; see `Network.parameter_shapes`."""
        c = config
        V, M, E, F = c.vocabulary_size, c.memory_size, c.embedding_size, c.feature_size
        D = E if c.reader == "bow" else F
        shapes = {"W": (V, E), "W_mem": (V, E), "A": (F, D), "TK": (M, D), "TV": (M, D)}
        shapes |= {f"R_{h}": (F, F) for h in range(1, c.hops + 1)} | {"B": (F, E)}
        if c.reader == "simple_gru":
            gru = GruWeights((E + F, 2 * F), (2 * F,), (E + F, F), (F,))
            for part in ("memory", "query"):
                shapes |= {f"{part}_{field}": shape for field, shape in gru._asdict().items()}
        return shapes

    def _initial_value(self, name, shape):
        c = self.config
        if name.endswith("gate_bias"):
            return self.xp.ones(shape, c.dtype)  # open gates: the state is kept at first
        if name.endswith("candidate_bias"):
            return self.xp.zeros(shape, c.dtype)
        # Glorot and Bengio 2010: uniform in ± sqrt(6 / (fan in + fan out)).
        limit = (6 / (shape[-2] + shape[-1])) ** 0.5
        purpose = f"starting weights {name}"
        u = self.ops.uniform(self.xp, c.random_state, purpose, 0, shape, c.dtype)
        value = (2 * u - 1) * limit
        if name in self.nil_rows:
            value[0] = 0
        return value


def _identity(x):
    return x
