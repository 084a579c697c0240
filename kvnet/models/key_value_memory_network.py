"""The Key-Value Memory Network (Miller et al. 2016, arXiv 1606.03126)."""

from typing import NamedTuple

import numpy

from kvnet.errors import InputError
from kvnet.models.network import (
    NOT_CONFIG,
    Network,
    check_argument,
    check_dtype_and_seed,
    check_sizes,
)

READERS = ("bow", "simple_gru")


class Batch(NamedTuple):
    """Questions about memories, as word ids; 0 is the nil word that pads.

    Each different sentence of the memories is held once; a slot has its number.

    Attributes
    ----------
    query : (B, S) integer array
    sentences : (U, S) integer array
        Row 0 is all nil: what an empty slot holds.
    keys, values : (B, M) integer array
        Rows of `sentences`; slot 0 is the most recent. The same array twice where a slot's key is
        its value.
    answer : (B,) integer array
    """

    query: numpy.ndarray
    sentences: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    answer: numpy.ndarray

    @classmethod
    def of_words(cls, query, keys, values, answer, xp=numpy) -> "Batch":
        """Make a batch of memories given in words.

        Parameters
        ----------
        query : (B, S) integer NumPy array
        keys, values : (B, M, S) integer NumPy array
            The same array twice where a slot's key is its value.
        answer : (B,) integer NumPy array
        xp : module
            Array module to hold the batch in.

        Returns
        -------
        batch : Batch
        """
        B, M, S = keys.shape
        same = values is keys
        nil = numpy.zeros((1, S), keys.dtype)
        words = [nil, keys.reshape(-1, S)] + ([] if same else [values.reshape(-1, S)])
        sentences, numbers = numpy.unique(numpy.concatenate(words), axis=0, return_inverse=True)
        numbers = xp.asarray(numbers.reshape(-1)[1:].reshape(-1, B, M))  # nil sorts first
        keys, values = numbers[0], numbers[-1]
        query, sentences, answer = map(xp.asarray, (query, sentences, answer))
        return cls(query, sentences, keys, keys if same else values, answer)


class KeyValueMemoryNetwork(Network):
    """Answer a question with a word, by hopping over a memory of key-value slots.

    Parameters
    ----------
    vocabulary_size : int
        V, the nil word (id 0) included.
    sentence_size : int
        S, words a sentence.
    memory_size : int
        M, slots.
    embedding_size : int
        E.
    feature_size : int
        F.
    hops : int
        H.
    reader : {"bow", "simple_gru"}
        How words become a sentence's reading.
    keep_prob : float
        Share of a simple_gru reading that dropout keeps in training, in (0, 1].
    mask_padding : bool
        Leave empty slots out of the softmax. The published model lets them take part: their key is
        their temporal encoding alone.
    backend : {"numpy", "cupy", "auto"}
    dtype : {"float32", "float64"}
        float32 for training, float64 for checking.
    random_state : int
        Seed of the starting weights and of dropout.
    kernels : {"reference", "fused", "auto"}
        The textbook operations, their fused forms, or the fused ones where they run.

    Attributes
    ----------
    theta : (N,) float array
        All parameters as one vector.
    shapes : dict of str to tuple of int
        The parameters' shapes, in the order in which they stand in the vector.
    params : dict of str to float array
        The parts of `theta` by name: ``W, W_mem (V, E)``; ``A (F, D)``; ``TK, TV (M, D)``;
        ``R_1``..``R_H (F, F)``; ``B (F, E)``; for simple_gru
        also ``memory_`` and ``query_`` with ``gate_weights, gate_bias, candidate_weights,
        candidate_bias``. D is E for bow and F for simple_gru.
    encoding : (S, E) float array
        What the bow reader weighs a word's place with.
    config : dict
        The constructor's arguments.

    Raises
    ------
    InputError
        If an argument is out of range.
    """

    def __init__(
        self,
        vocabulary_size: int,
        sentence_size: int,
        memory_size: int,
        embedding_size: int = 40,
        feature_size: int = 50,
        hops: int = 3,
        reader: str = "bow",
        keep_prob: float = 1.0,
        mask_padding: bool = False,
        backend: str = "numpy",
        dtype: str = "float32",
        random_state: int = 0,
        kernels: str = "auto",
    ):
        config = {k: v for k, v in locals().items() if k not in NOT_CONFIG}
        _check_config(config)
        self.hops, self.reader, self.keep_prob = hops, reader, keep_prob
        self.mask_padding, self.random_state = mask_padding, random_state
        super().__init__(config, backend, kernels)
        self.encoding = self.operations.position_encoding(
            self.xp, sentence_size, embedding_size, dtype
        )

    def _parameter_shapes(self):
        c = self.config
        V, M, E, F = (
            c[f"{name}_size"] for name in ("vocabulary", "memory", "embedding", "feature")
        )
        D = E if self.reader == "bow" else F
        shapes = {"W": (V, E), "W_mem": (V, E), "A": (F, D), "TK": (M, D), "TV": (M, D)}
        shapes |= dict.fromkeys(self._hop_names, (F, F)) | {"B": (F, E)}
        if self.reader == "simple_gru":
            for part in ("memory", "query"):
                shapes[f"{part}_gate_weights"] = (E + F, 2 * F)
                shapes[f"{part}_gate_bias"] = (2 * F,)
                shapes[f"{part}_candidate_weights"] = (E + F, F)
                shapes[f"{part}_candidate_bias"] = (F,)
        return shapes

    def _start(self, name, shape):
        dtype = self.config["dtype"]
        if name.endswith("gate_bias"):
            return self.xp.ones(shape, dtype)  # open gates: the state is kept at first
        if name.endswith("candidate_bias"):
            return self.xp.zeros(shape, dtype)
        # Glorot and Bengio 2010: uniform in ± sqrt(6 / (fan in + fan out)).
        limit = (6 / (shape[-2] + shape[-1])) ** 0.5
        u = self.operations.uniform(
            self.xp, self.random_state, f"starting weights {name}", 0, shape, dtype
        )
        theta = (2 * u - 1) * limit
        if name in self.nil_rows:
            theta[0] = 0
        return theta

    @property
    def _hop_names(self):
        return [f"R_{hop}" for hop in range(1, self.hops + 1)]

    @property
    def nil_rows(self) -> tuple[str, ...]:
        """Names of the parameters whose row 0 is the nil word's and stays zero."""
        return ("W", "W_mem")

    def forward(self, batch: Batch):
        """Score every word of the vocabulary as the answer.

        Parameters
        ----------
        batch : Batch
            Its answers are not looked at.

        Returns
        -------
        scores : (B, V) float array
        attention : (H, B, M) float array
            Where each hop looked.
        """
        xp, p, ops = self.xp, self.params, self.operations
        u, attention, _ = ops.read_slots(xp, *self._memory(batch, None)[0])
        h, _ = ops.linear(xp, u, p["B"].T)  # (B, E)
        return ops.word_scores(xp, h, p["W_mem"])[0], attention

    def _memory(self, batch, step):
        """Return what `read_slots` takes, and the backward passes of the readers."""
        p, slots = self.params, batch.keys.shape[1]
        query, backward_query = self._read_query(batch.query, step)  # (B, D)
        readings, key_rows, value_rows, backward_memory = self._read_memory(batch, step)  # (U, D)
        encodings = p["TK"][:slots], p["TV"][:slots]
        matrices = p["A"], [p[name] for name in self._hop_names]
        allowed = batch.keys != 0 if self.mask_padding else None
        inputs = query, readings, *encodings, *matrices, key_rows, value_rows, allowed
        return inputs, backward_query, backward_memory

    def _read_query(self, words, step):
        """Read questions ``(B, S)`` to ``(B, D)``; backward returns a dict of gradients."""
        query, backward_reader = self._read(words, "W", "query")
        query, backward_dropout = self._drop(query, "query", step)

        def backward(d_query):
            return backward_reader(backward_dropout(d_query))

        return query, backward

    def _read_memory(self, batch, step):
        """Read a memory's sentences ``(U, S)`` to ``(U, D)`` and say which stands in which slot.

        With dropout every slot gets a reading of its own, so that each is dropped on its own.
        """
        xp, ops = self.xp, self.operations
        readings, backward_reader = self._read(batch.sentences, "W_mem", "memory")
        if not self._drops(step):
            return readings, batch.keys, batch.values, backward_reader
        rows = [batch.keys] if batch.values is batch.keys else [batch.keys, batch.values]
        flat = xp.concatenate([part.reshape(-1, 1) for part in rows])  # (N, 1), N slots in all
        copies, backward_copies = ops.fill_slots(xp, readings, flat, xp.zeros_like(readings[:1]))
        dropped, backward_dropout = self._drop(copies[:, 0], "memory", step)
        numbers = xp.arange(len(flat)).reshape(-1, *batch.keys.shape)

        def backward(d_dropped):
            d_readings, _ = backward_copies(backward_dropout(d_dropped)[:, None])
            return backward_reader(d_readings)

        return dropped, numbers[0], numbers[len(rows) - 1], backward

    def _read(self, words, table, part):
        """Read sentences ``(N, S)`` to ``(N, D)``; backward returns a dict of gradients."""
        xp, p, ops = self.xp, self.params, self.operations
        if self.reader == "bow":
            readings, backward_sum = ops.embedding_sum(xp, words, p[table], self.encoding)

            def backward_words(d_readings):
                return {table: backward_sum(d_readings)}

            return readings, backward_words
        kinds = ("gate_weights", "gate_bias", "candidate_weights", "candidate_bias")
        names = [f"{part}_{kind}" for kind in kinds]
        weights = [p[name] for name in names]
        readings, backward_reading = ops.gru_reading(xp, words, p[table], *weights)

        def backward(d_readings):
            return dict(zip([table, *names], backward_reading(d_readings), strict=True))

        return readings, backward

    def _drops(self, step):
        return step is not None and self.keep_prob < 1

    def _drop(self, x, purpose, step):
        if not self._drops(step):
            return x, lambda dx: dx
        u = self.operations.uniform(
            self.xp, self.random_state, f"dropout {purpose}", step, x.shape, self.dtype
        )
        return self.operations.dropout(self.xp, x, u, self.keep_prob)

    def loss_and_gradient(self, batch: Batch, l2_lambda: float = 0.0, step: int | None = None):
        """Return the batch's loss and its gradient by every parameter.

        Parameters
        ----------
        batch : Batch
        l2_lambda : float
            λ of the penalty ``λ/2 ‖θ‖²``.
        step : int, optional
            The training step, which dropout's random numbers hang on. No dropout without it.

        Returns
        -------
        loss : scalar float array
            Cross entropy summed over the batch, plus the penalty.
        gradient : (N,) float array
            As `theta`; `kvnet.parameter_vector.by_name` takes it apart.
        """
        xp, ops = self.xp, self.operations
        entropy, grads = self.entropy_and_gradients(batch, step)
        penalty, backward_penalty = ops.l2_penalty(xp, self.theta, l2_lambda)
        return entropy + penalty, ops.as_vector(xp, grads) + backward_penalty(1.0)

    def entropy_and_gradients(self, batch: Batch, step: int | None = None):
        """Return the batch's cross entropy, without the penalty, and its gradients.

        Parameters
        ----------
        batch, step
            As for `loss_and_gradient`.

        Returns
        -------
        entropy : scalar float array
            Summed over the batch.
        gradients : dict of str to float array
            In the order of `params`.
        """
        xp, p, ops = self.xp, self.params, self.operations
        inputs, backward_query, backward_memory = self._memory(batch, step)
        entropy, backward_entropy = ops.answer_loss(xp, *inputs, p["B"], p["W_mem"], batch.answer)
        d_query, d_readings, dTK, dTV, dA, dR, dB, dW_mem = backward_entropy(1.0)
        grads = {"A": dA, "B": dB, **dict(zip(self._hop_names, dR, strict=True))}
        unused = len(p["TK"]) - len(dTK)  # slots that a smaller batch does not have
        for name, dT in (("TK", dTK), ("TV", dTV)):
            grads[name] = xp.pad(dT, ((0, unused), (0, 0))) if unused else dT
        grads |= backward_query(d_query)
        grads |= backward_memory(d_readings)
        grads["W_mem"] = grads["W_mem"] + dW_mem  # W_mem reads the memory and is the output
        return entropy, {name: grads[name] for name in p}

    def predict_proba(self, batch: Batch):
        """Return the probability of every word as the answer.

        Parameters
        ----------
        batch : Batch
            Its answers are not looked at.

        Returns
        -------
        p : (B, V) float array
        attention : (H, B, M) float array
            Where each hop looked.
        """
        scores, attention = self.forward(batch)
        return self.operations.softmax(self.xp, scores)[0], attention

    def predict(self, batch: Batch):
        """Return the most probable answers.

        Parameters
        ----------
        batch : Batch
            Its answers are not looked at.

        Returns
        -------
        words : (B,) int64 array
            Word ids; the lowest where several are equally probable.
        """
        return self.forward(batch)[0].argmax(axis=1)


def _check_config(config):
    sizes = ("vocabulary", "sentence", "memory", "embedding", "feature")
    check_sizes(config, *(f"{name}_size" for name in sizes), "hops")
    check_argument(config, "reader", lambda r: r in READERS, " or ".join(map(repr, READERS)))
    check_argument(config, "keep_prob", lambda k: 0 < k <= 1, "a number in (0, 1]", (int, float))
    check_dtype_and_seed(config)
    if config["keep_prob"] < 1 and config["reader"] == "bow":
        raise InputError(
            f"keep_prob={config['keep_prob']} has no effect with reader='bow'; take "
            "reader='simple_gru' or leave keep_prob at 1"
        )
