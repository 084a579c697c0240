"""The End-To-End Memory Network language model (Sukhbaatar et al. 2015, arXiv 1503.08895)."""

from typing import NamedTuple

import numpy

from kvnet.counter_random import normal
from kvnet.models.network import (
    NOT_CONFIG,
    Network,
    check_argument,
    check_dtype_and_seed,
    check_sizes,
)
from kvnet.row_gradient import RowGradient


class Context(NamedTuple):
    """Words to be predicted, and the words before each.

    Each different word of the contexts is held once; a slot has its number.

    Attributes
    ----------
    words : (U,) integer array
        Word ids, each different.
    slots : (B, M) integer array
        Rows of `words`; slot 0 is the word right before the target.
    target : (B,) integer array
        Word ids.
    """

    words: numpy.ndarray
    slots: numpy.ndarray
    target: numpy.ndarray


class MemN2NLanguageModel(Network):
    """Predict the next word, by hopping over the words before it.

    Parameters
    ----------
    vocabulary_size : int
        V; there is no nil word.
    edim : int
        E, components of an embedding.
    lindim : int
        Components of the query that stay linear after a hop; the others are rectified.
    nhop : int
        H.
    mem_size : int
        M, words of the context.
    init_hid : float
        Every component of the first query.
    init_std : float
        Deviation of the starting weights.
    dropout : float
        Share of the last query's components that a training step leaves out.
    word_dropout : float
        Share of the different words that a training step leaves out of the memory, wherever they
        stand.
    backend : {"numpy", "cupy", "auto"}
    dtype : {"float32", "float64"}
        float32 for training, float64 for checking.
    random_state : int
        Seed of the starting weights and of dropout.
    kernels : {"reference", "fused", "auto"}
        The textbook operations, their fused forms, or the fused ones where they run.

    Attributes
    ----------
    theta, shapes
        As for `Network`.
    params : dict of str to float array
        The parts of `theta` by name: ``A, B (V, E)`` embed words for matching and for reading;
        ``TA, TB (M, E)`` say how far back a slot is; ``C (E, E)`` maps the query from hop to hop;
        ``W (V, E)`` is the output, a row a word.
    config : dict
        The constructor's arguments.

    Raises
    ------
    InputError
        If an argument is out of range.

    References
    ----------
    Sukhbaatar et al. 2015, which has no dropout. Zaremba et al. 2014, "Recurrent neural network
    regularization", for `dropout` before the output; Gal and Ghahramani 2016, "A theoretically
    grounded application of dropout in recurrent neural networks", for `word_dropout`.
    """

    def __init__(
        self,
        vocabulary_size: int,
        edim: int = 150,
        lindim: int = 75,
        nhop: int = 6,
        mem_size: int = 100,
        init_hid: float = 0.1,
        init_std: float = 0.05,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
        backend: str = "numpy",
        dtype: str = "float32",
        random_state: int = 0,
        kernels: str = "auto",
    ):
        config = {k: v for k, v in locals().items() if k not in NOT_CONFIG}
        check_sizes(config, "vocabulary_size", "edim", "nhop", "mem_size")
        check_argument(config, "lindim", lambda n: 0 <= n <= edim, f"0 to edim={edim}", int)
        for name in ("dropout", "word_dropout"):
            check_argument(config, name, lambda x: 0 <= x < 1, "a number in [0, 1)", (int, float))
        check_dtype_and_seed(config)
        super().__init__(config, backend, kernels)

    def _parameter_shapes(self):
        V, E, M = (self.config[name] for name in ("vocabulary_size", "edim", "mem_size"))
        return {"A": (V, E), "B": (V, E), "TA": (M, E), "TB": (M, E), "C": (E, E), "W": (V, E)}

    def _start(self, name, shape):
        c, draw = self.config, self.operations.uniform
        purpose = f"starting weights {name}"
        z = normal(self.xp, c["random_state"], purpose, 0, shape, c["dtype"], draw)
        return z * numpy.dtype(c["dtype"]).type(c["init_std"])

    def forward(self, context: Context):
        """Score every word of the vocabulary as the next one.

        Parameters
        ----------
        context : Context
            Its targets are not looked at.

        Returns
        -------
        scores : (B, V) float array
        attention : (H, B, M) float array
            Where each hop looked.
        """
        u, attention, _ = self._read(context)
        return self.operations.word_scores(self.xp, u, self.params["W"], False)[0], attention

    def _dropping(self, name, step, shape):
        """Return what drops numbers of arrays in training, the same ones each time."""
        rate = self.config[name]
        if step is None or rate == 0:
            return lambda x: (x, lambda dy: dy)
        seed = self.config["random_state"]
        u = self.operations.uniform(self.xp, seed, name, step, shape, self.dtype)
        return lambda x: self.operations.dropout(self.xp, x, u, 1 - rate)

    def _read(self, context, step=None):
        """Hop over the contexts, to what `context_read` returns."""
        xp, p, c, M = self.xp, self.params, self.config, context.slots.shape[1]
        words = context.words
        drop = self._dropping("word_dropout", step, (len(words), 1))
        keys, backward_keys = drop(p["A"][words])  # (U, E)
        values, backward_values = drop(p["B"][words])
        u = xp.full((len(context.slots), c["edim"]), c["init_hid"], p["C"].dtype)
        encodings = p["TA"][:M], p["TB"][:M]
        sizes = c["nhop"], c["lindim"]
        u, attention, backward_read = self.operations.context_read(
            xp, u, keys, values, *encodings, p["C"], context.slots, *sizes
        )

        def backward(du):
            _, d_keys, d_values, dTA, dTB, dC = backward_read(du)
            # Each word stands once, so its row's gradient is its reading's.
            dA = RowGradient(words, backward_keys(d_keys))
            dB = RowGradient(words, backward_values(d_values))
            return {"A": dA, "B": dB, "TA": dTA, "TB": dTB, "C": dC}

        return u, attention, backward

    def loss(self, context: Context):
        """Return the batch's cross entropy, summed."""
        u, _, _ = self._read(context)
        W = self.params["W"]
        return self.operations.word_cross_entropy(self.xp, u, W, context.target, False)[0]

    def loss_and_gradient(self, context: Context, step: int | None = None):
        """Return the batch's cross entropy and its gradient by every parameter.

        Parameters
        ----------
        context : Context
            With all M slots.
        step : int, optional
            The training step, which dropout's random numbers hang on. No dropout without it.

        Returns
        -------
        loss : scalar float array
            Summed over the batch.
        gradient : dict of str to float array or RowGradient
        """
        u, _, backward_read = self._read(context, step)
        u, backward_dropout = self._dropping("dropout", step, u.shape)(u)
        loss, backward_entropy = self.operations.word_cross_entropy(
            self.xp, u, self.params["W"], context.target, False
        )
        du, dW = backward_entropy(1.0)
        return loss, backward_read(backward_dropout(du)) | {"W": dW}

    def predict_proba(self, context: Context):
        """Return the probability of every word as the next one.

        Parameters
        ----------
        context : Context
            Its targets are not looked at.

        Returns
        -------
        p : (B, V) float array
        attention : (H, B, M) float array
            Where each hop looked.
        """
        scores, attention = self.forward(context)
        return self.operations.softmax(self.xp, scores)[0], attention
