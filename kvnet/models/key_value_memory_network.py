"""The Key-Value Memory Network (Miller et al. 2016, arXiv 1606.03126)."""

from pathlib import Path
from typing import NamedTuple

import numpy

from kvnet import operations as ops
from kvnet.backend import array_module
from kvnet.checkpoint import named, read_arrays, write_arrays
from kvnet.counter_random import uniform
from kvnet.errors import InputError

READERS = ("bow", "simple_gru")


class Batch(NamedTuple):
    """Questions about memories, as word ids; 0 is the nil word that pads.

    Attributes
    ----------
    query : (B, S) integer array
    keys, values : (B, M, S) integer array
        Slot 0 is the most recent. Pass the same array twice where a slot's key is its value: the
        reader then reads it once.
    answer : (B,) integer array
    """

    query: numpy.ndarray
    keys: numpy.ndarray
    values: numpy.ndarray
    answer: numpy.ndarray


class KeyValueMemoryNetwork:
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

    Attributes
    ----------
    params : dict of str to float array
        ``W, W_mem (V, E)``; ``A (F, D)``; ``TK, TV (M, D)``; ``R_1``..``R_H (F, F)``;
        ``B (F, E)``; for simple_gru also ``memory_`` and ``query_`` with ``gate_weights,
        gate_bias, candidate_weights, candidate_bias``. D is E for bow and F for simple_gru.
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
    ):
        self.config = {k: v for k, v in locals().items() if k not in ("self", "backend")}
        _check_config(self.config)
        self.xp = array_module(backend)
        self.hops, self.reader, self.keep_prob = hops, reader, keep_prob
        self.mask_padding, self.random_state = mask_padding, random_state
        self.params = self._starting_params()
        self._encoding = ops.position_encoding(self.xp, sentence_size, embedding_size, dtype)

    def _starting_params(self):
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
        return {name: self._start(name, shape) for name, shape in shapes.items()}

    def _start(self, name, shape):
        dtype = self.config["dtype"]
        if name.endswith("gate_bias"):
            return self.xp.ones(shape, dtype)  # open gates: the state is kept at first
        if name.endswith("candidate_bias"):
            return self.xp.zeros(shape, dtype)
        # Glorot and Bengio 2010: uniform in ± sqrt(6 / (fan in + fan out)).
        limit = (6 / (shape[-2] + shape[-1])) ** 0.5
        u = uniform(self.xp, self.random_state, f"starting weights {name}", 0, shape, dtype)
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

    def forward(self, batch: Batch, step: int | None = None):
        """Score every word of the vocabulary as the answer.

        Parameters
        ----------
        batch : Batch
        step : int, optional
            The training step, which dropout's random numbers hang on. No dropout without it.

        Returns
        -------
        scores : (B, V) float array
        attention : (H, B, M) float array
        backward : callable
            ``d_scores (B, V) -> grads``, a dict with the names of `params`
        """
        xp, p = self.xp, self.params
        same = batch.values is batch.keys
        query, backward_query = self._read(batch.query, "W", "query", step)
        keys, backward_keys = self._read(batch.keys, "W_mem", "keys", step)
        values, backward_values = (
            (keys, None) if same else self._read(batch.values, "W_mem", "values", step)
        )
        slots = batch.keys.shape[1]
        u, attention, backward_hops = ops.memory_read(
            xp,
            query,
            keys + p["TK"][:slots],
            values + p["TV"][:slots],
            p["A"],
            [p[name] for name in self._hop_names],
            self._allowed(batch.keys),
        )
        h, backward_h = ops.linear(xp, u, p["B"].T)  # (B, E)
        scores, backward_scores = ops.word_scores(xp, h, p["W_mem"])

        def backward(d_scores):
            grads = {name: xp.zeros_like(theta) for name, theta in p.items()}
            dh, grads["W_mem"] = backward_scores(d_scores)
            du, dB_transposed = backward_h(dh)
            grads["B"] = dB_transposed.T
            d_query, d_keys, d_values, grads["A"], dR = backward_hops(du)
            grads.update(zip(self._hop_names, dR, strict=True))
            grads["TK"][:slots] = d_keys.sum(axis=0)
            grads["TV"][:slots] = d_values.sum(axis=0)
            readings = [(backward_query, d_query)]
            if same:
                readings.append((backward_keys, d_keys + d_values))
            else:
                readings += [(backward_keys, d_keys), (backward_values, d_values)]
            for backward_reading, d_reading in readings:
                for name, d in backward_reading(d_reading).items():
                    grads[name] = grads[name] + d
            return grads

        return scores, attention, backward

    def _read(self, words, table, purpose, step):
        """Read sentences ``(..., S)`` to ``(..., D)``; backward returns a dict of gradients."""
        xp, p = self.xp, self.params
        flat = words.reshape(-1, words.shape[-1])  # (N, S)
        if self.reader == "bow":
            readings, backward_sum = ops.embedding_sum(xp, flat, p[table], self._encoding)

            def backward_flat(d_readings):
                return {table: backward_sum(d_readings)}
        else:
            part = "query" if purpose == "query" else "memory"
            readings, backward_flat = self._read_gru(flat, table, part, purpose, step)

        def backward(d_readings):
            return backward_flat(d_readings.reshape(readings.shape))

        return readings.reshape(*words.shape[:-1], -1), backward

    def _read_gru(self, words, table, part, purpose, step):
        xp, p = self.xp, self.params
        names = [
            f"{part}_{kind}"
            for kind in ("gate_weights", "gate_bias", "candidate_weights", "candidate_bias")
        ]
        x, backward_lookup = ops.embedding_lookup(xp, words, p[table])
        readings, backward_gru = ops.gru(xp, x, *(p[name] for name in names))
        drop = step is not None and self.keep_prob < 1
        if drop:
            u = uniform(
                xp, self.random_state, f"dropout {purpose}", step, readings.shape, self.dtype
            )
            readings, backward_dropout = ops.dropout(xp, readings, u, self.keep_prob)

        def backward(d_readings):
            if drop:
                d_readings = backward_dropout(d_readings)
            dx, *d_weights = backward_gru(d_readings)
            return {table: backward_lookup(dx), **dict(zip(names, d_weights, strict=True))}

        return readings, backward

    def _allowed(self, keys):
        return keys.any(axis=-1) if self.mask_padding else None  # a slot without a word is empty

    @property
    def dtype(self) -> str:
        """The dtype of the parameters."""
        return self.config["dtype"]

    def loss_and_grads(self, batch: Batch, l2_lambda: float = 0.0, step: int | None = None):
        """Return the batch's loss and its gradient by every parameter.

        Parameters
        ----------
        batch : Batch
        l2_lambda : float
            λ of the penalty ``λ/2 sum ‖θ‖²``.
        step : int, optional
            The training step, which dropout's random numbers hang on. No dropout without it.

        Returns
        -------
        loss : scalar float array
            Cross entropy summed over the batch, plus the penalty.
        grads : dict of str to float array
            With the names and shapes of `params`.
        """
        scores, _, backward_scores = self.forward(batch, step)
        entropy, backward_entropy = ops.cross_entropy(self.xp, scores, batch.answer)
        penalty, backward_penalty = ops.l2_penalty(self.xp, self.params, l2_lambda)
        grads = backward_scores(backward_entropy(1.0))
        d_penalty = backward_penalty(1.0)
        return entropy + penalty, {name: grads[name] + d_penalty[name] for name in grads}

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
        scores, attention, _ = self.forward(batch)
        return ops.softmax(self.xp, scores)[0], attention

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

    def state(self) -> tuple[dict, dict]:
        """Return what a file must hold: the parameters as arrays, and metadata for JSON."""
        return named(self.params, "params/"), {"model": self.config}

    def save(self, path: str | Path) -> None:
        """Write the parameters and the configuration to a safetensors file.

        Parameters
        ----------
        path : str or Path
            Written to a temporary name first and renamed.

        Raises
        ------
        InputError
            If it cannot be written.
        """
        write_arrays(path, *self.state())

    @classmethod
    def load(cls, path: str | Path, backend: str = "numpy") -> "KeyValueMemoryNetwork":
        """Read what `save` wrote, or a training checkpoint.

        Parameters
        ----------
        path : str or Path
        backend : {"numpy", "cupy", "auto"}
            Where to run; files are the same for all.

        Returns
        -------
        model : KeyValueMemoryNetwork

        Raises
        ------
        InputError
            If the file cannot be read or holds another model.
        """
        return cls.from_state(path, *read_arrays(path), backend)

    @classmethod
    def from_state(cls, path, arrays, metadata, backend) -> "KeyValueMemoryNetwork":
        """Build the model of what was read from a file; see `load`."""
        try:
            model = cls(**metadata["model"], backend=backend)
        except (KeyError, TypeError) as error:
            raise InputError(
                f"{path}: holds no KeyValueMemoryNetwork ({error}); give a file that one wrote"
            ) from None
        model.params = model.checked(path, arrays, "params/")
        return model

    def checked(self, path, arrays: dict, prefix: str) -> dict:
        """Pick one array a parameter, named by `prefix` and its name, and check its shape.

        Raises
        ------
        InputError
            If one is missing or of another shape or dtype.
        """
        picked = {}
        for name, theta in self.params.items():
            array = arrays.get(prefix + name)
            if array is None or array.shape != theta.shape or array.dtype != theta.dtype:
                found = "nothing" if array is None else f"{array.dtype}{list(array.shape)}"
                raise InputError(
                    f"{path}: {prefix}{name} should be {theta.dtype}{list(theta.shape)}, found "
                    f"{found}; the file belongs to another model"
                )
            picked[name] = self.xp.asarray(array)
        return picked


def _check_config(config):
    for name in ("vocabulary", "sentence", "memory", "embedding", "feature"):
        _check(config, f"{name}_size", lambda n: n >= 1, "a whole number from 1", int)
    _check(config, "hops", lambda n: n >= 1, "a whole number from 1", int)
    _check(config, "reader", lambda r: r in READERS, " or ".join(map(repr, READERS)))
    _check(config, "keep_prob", lambda k: 0 < k <= 1, "a number in (0, 1]", (int, float))
    _check(config, "dtype", lambda d: d in ("float32", "float64"), "'float32' or 'float64'")
    _check(config, "random_state", lambda n: 0 <= n < 2**64, "0 to 2**64 - 1", int)
    if config["keep_prob"] < 1 and config["reader"] == "bow":
        raise InputError(
            f"keep_prob={config['keep_prob']} has no effect with reader='bow'; take "
            "reader='simple_gru' or leave keep_prob at 1"
        )


def _check(config, name, good, takes, kind=str):
    value = config[name]
    if not isinstance(value, kind) or isinstance(value, bool) or not good(value):
        raise InputError(f"{name}={value!r} is out of range; it takes {takes}")
