"""The End-To-End Memory Network for question answering (Sukhbaatar et al. 2015, section 4)."""

import numpy

from kvnet import operations
from kvnet.counter_random import normal
from kvnet.models.key_value_memory_network import Batch
from kvnet.models.network import (
    NOT_CONFIG,
    Network,
    check_argument,
    check_dtype_and_seed,
    check_sizes,
)

TYINGS = ("adjacent", "layerwise")
ENCODINGS = ("matlab", "paper", "bow")


class MemN2N(Network):
    """Answer a question with a word, by hopping over the sentences of a story.

    How far back a sentence stands is told by a word more, at its last place: the vocabulary is the
    words and one time word a slot.

    Parameters
    ----------
    vocabulary_size : int
        The nil word (id 0) included, the time words not.
    sentence_size : int
        Words a sentence, the time word not included.
    memory_size : int
        M, slots.
    embedding_size : int
        E.
    hops : int
        H.
    tying : {"adjacent", "layerwise"}
        Each hop's values are the next one's keys, or all hops have one memory and a matrix maps
        the query between them.
    encoding : {"matlab", "paper", "bow"}
        What a word's place does to it; see `centred_position_encoding` and `own_length_encoding`.
    time_noise : float
        The most blanks between sentences in training, as a share of the story's length.
    init_std : float
        Deviation of the starting weights.
    backend : {"numpy", "cupy", "auto"}
    dtype : {"float32", "float64"}
        float32 for training, float64 for checking.
    random_state : int
        Seed of the starting weights and of the blanks.
    kernels : {"reference", "fused", "auto"}

    Attributes
    ----------
    theta, shapes
        As for `Network`.
    params : dict of str to float array
        Embedding tables (words and times, E). Adjacent: ``T_1..T_{H+1}``; the query is read with
        ``T_1``, hop h matches ``T_h`` and reads ``T_{h+1}``, the answer is a row of ``T_{H+1}``.
        Layer-wise: ``B`` for the query, ``A`` to match, ``C`` to read, ``W`` for the answer, and
        ``H (E, E)``.
    linear : bool
        Whether hops leave the softmax out, as they do at the start of a training.
    """

    def __init__(
        self,
        vocabulary_size: int,
        sentence_size: int,
        memory_size: int,
        embedding_size: int = 50,
        hops: int = 3,
        tying: str = "adjacent",
        encoding: str = "matlab",
        time_noise: float = 0.1,
        init_std: float = 0.1,
        backend: str = "numpy",
        dtype: str = "float32",
        random_state: int = 0,
        kernels: str = "auto",
    ):
        config = {k: v for k, v in locals().items() if k not in NOT_CONFIG}
        sizes = ("vocabulary", "sentence", "memory", "embedding")
        check_sizes(config, *(f"{name}_size" for name in sizes), "hops")
        check_argument(config, "tying", TYINGS.__contains__, " or ".join(TYINGS))
        check_argument(config, "encoding", ENCODINGS.__contains__, " or ".join(ENCODINGS))
        check_dtype_and_seed(config)
        self.hops, self.linear = hops, False
        super().__init__(config, backend, kernels)
        xp, J = self.xp, sentence_size + 1
        self._time_words = xp.arange(vocabulary_size, vocabulary_size + memory_size)
        self._encoding, self._encoding_by_length = xp.ones((J, embedding_size), dtype), None
        if encoding == "matlab":
            self._encoding = operations.centred_position_encoding(xp, J, embedding_size, dtype)
        elif encoding == "paper":
            # The time word, at the last place, counts as it is.
            fixed, by_length = operations.own_length_encoding(xp, J - 1, embedding_size, dtype)
            self._encoding[:-1] = fixed
            self._encoding_by_length = xp.pad(by_length, ((0, 1), (0, 0)))

    def _parameter_shapes(self):
        c = self.config
        V, E = c["vocabulary_size"] + c["memory_size"], c["embedding_size"]
        if c["tying"] == "adjacent":
            return {f"T_{n}": (V, E) for n in range(1, self.hops + 2)}
        return dict.fromkeys("ABCW", (V, E)) | {"H": (E, E)}

    def _start(self, name, shape):
        c, draw = self.config, self.operations.uniform
        purpose = f"starting weights {name}"
        z = normal(self.xp, c["random_state"], purpose, 0, shape, c["dtype"], draw)
        theta = z * numpy.dtype(c["dtype"]).type(c["init_std"])
        if name != "H":
            theta[0] = 0
        return theta

    @property
    def _roles(self):
        """Name the tables: of the query, of each memory, of the answer."""
        if self.config["tying"] == "adjacent":
            tables = [f"T_{n}" for n in range(1, self.hops + 2)]
            return tables[0], tables, tables[-1]
        return "B", ["A", "C"], "W"

    def _read(self, words, table):
        """Read sentences with a time word at their last place, ``(N, J)`` to ``(N, E)``."""
        xp, ops, W = self.xp, self.operations, self.params[table]
        readings, backward = ops.embedding_sum(xp, words, W, self._encoding)
        if self._encoding_by_length is None:
            return readings, backward
        by_length, backward_by_length = ops.embedding_sum(xp, words, W, self._encoding_by_length)
        lengths = (words[:, :-1] != 0).sum(axis=1)[:, None]
        share = 1 / xp.maximum(lengths, 1).astype(self.dtype)  # of a time alone: nothing to share

        def backward_both(d_readings):
            return backward(d_readings) + backward_by_length(share * d_readings)

        return readings + share * by_length, backward_both

    def _words(self, batch, step):
        """Return sentences, times among them, and the memory by number.

        Returns
        -------
        query : (B, J) integer array
        words : (U, J) integer array
            The different sentences, then each slot's time as a sentence of one word.
        rows : (B, M, 2) integer array
            The sentence and the time that each slot holds; 0 for none.
        """
        xp = self.xp
        M, (U, S) = self.config["memory_size"], batch.sentences.shape
        query = xp.zeros((len(batch.query), S + 1), batch.query.dtype)  # no time
        words = xp.zeros((U + M, S + 1), batch.sentences.dtype)
        query[:, :S], words[:U, :S], words[U:, S] = batch.query, batch.sentences, self._time_words
        c, ops = self.config, self.operations
        rows = ops.slots_with_times(
            xp, batch.keys, U, M - 1, c["time_noise"], c["random_state"], step, ops.uniform
        )
        return query, words, rows

    def _hop(self, batch, step):
        """Read and hop; backward returns a dict of gradients."""
        xp, p, ops = self.xp, self.params, self.operations
        query_table, memory_tables, _ = self._roles
        query, words, rows = self._words(batch, step)
        u, backward_query = self._read(query, query_table)
        readings, backward_read = zip(*(self._read(words, t) for t in memory_tables), strict=True)
        if self.config["tying"] == "adjacent":
            u, attention, backward_hops = ops.adjacent_slots(xp, u, readings, rows, not self.linear)
        else:
            u, attention, backward_hops = ops.layerwise_slots(
                xp, u, *readings, p["H"].T, rows, self.hops, not self.linear
            )

        def backward(du):
            if self.config["tying"] == "adjacent":
                du, d_readings = backward_hops(du)
                grads = {}
            else:
                du, *d_readings, dH_transposed = backward_hops(du)
                grads = {"H": dH_transposed.T}
            for table, back, d in zip(memory_tables, backward_read, d_readings, strict=True):
                grads[table] = back(d)
            grads[query_table] = grads.get(query_table, 0) + backward_query(du)
            return grads

        return u, attention, backward

    def forward(self, batch: Batch):
        """Score every word, and every time word, as the answer.

        Parameters
        ----------
        batch : Batch
            Its answers are not looked at.

        Returns
        -------
        scores : (B, V) float array
        attention : (H, B, M) float array
        """
        u, attention, _ = self._hop(batch, None)
        return self.operations.word_scores(self.xp, u, self.params[self._roles[2]])[0], attention

    def loss_and_gradient(self, batch: Batch, step: int | None = None, linear: bool = False):
        """Return the batch's loss and its gradient by every parameter.

        Parameters
        ----------
        batch : Batch
        step : int, optional
            The training step, which the blanks hang on. No blanks without it.
        linear : bool
            Leave the softmax out, and do so in predictions until told otherwise.

        Returns
        -------
        loss : scalar float array
            Cross entropy summed over the batch.
        gradient : (N,) float array
            As `theta`.
        """
        self.linear = linear
        answer_table = self._roles[2]
        u, _, backward_hop = self._hop(batch, step)
        loss, backward_entropy = self.operations.word_cross_entropy(
            self.xp, u, self.params[answer_table], batch.answer
        )
        du, d_table = backward_entropy(1.0)
        grads = backward_hop(du)
        grads[answer_table] = grads.get(answer_table, 0) + d_table
        grads = {name: grads[name] for name in self.params}
        return loss, self.operations.as_vector(self.xp, grads)

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
        """
        scores, attention = self.forward(batch)
        return self.operations.softmax(self.xp, scores)[0], attention

    def predict(self, batch: Batch):
        """Return the most probable answers' word ids, the lowest of equals, ``(B,)``."""
        return self.forward(batch)[0].argmax(axis=1)
