"""Training steps of models with the bow reader: a CUDA graph, recorded once and replayed."""

from collections.abc import Sequence

import numpy

from kvnet.backend import array_module_of, to_numpy
from kvnet.kernels.cuda.parts.batch_records import Layout, pack
from kvnet.kernels.cuda.parts.compile import parameters
from kvnet.kernels.cuda.parts.constants import COLUMNS_PER_BLOCK, THREADS, WARP
from kvnet.kernels.cuda.parts.key_value_hops import (
    MANY_QUESTIONS,
    HopSizes,
    launch_questions,
    saved_arrays,
)
from kvnet.kernels.cuda.parts.launch import blocks_for, launch
from kvnet.kernels.cuda.parts.products import blocks_of, numbered_products, product
from kvnet.kernels.cuda.parts.update import chunks_of, rule_arguments
from kvnet.kernels.parts.bow_arguments import BowModel
from kvnet.parameter_vector import sections_of
from kvnet.updates.noisy_adam import UpdateRule

__all__ = ["StepGraph", "pack", "serves"]


def serves(bow: BowModel, batch_size: int) -> bool:
    """Return whether one block holds a question and the scores of all words."""
    (V, E), (M, _) = bow.shapes["W"], bow.shapes["TK"]
    return _sizes_of(bow, batch_size, M).fits_block(bow.theta.dtype, E, V)


def _sizes_of(bow, B, M):
    F, D = bow.shapes["A"]
    return HopSizes(B=B, M=M, D=D, F=F, H=bow.hops)


class StepGraph:
    """Five launches, recorded once and replayed for every step.

    All that a step reads and writes stays at the same place on the device: the records of all
    batches, their order, the learning rates, and the vectors of all models, one model after
    another. Each launch computes all models.

    Parameters
    ----------
    models : sequence of N BowModel
        Of the same sizes.
    moments : sequence of N (m, v)
        Adam's running means of each model.
    rules : sequence of N UpdateRule
        Their seeds may differ.
    layout : Layout
    batches : int
        Records to allocate.
    capacity : int
        Largest number of steps per call of `take`.
    """

    def __init__(
        self,
        models: Sequence[BowModel],
        moments: Sequence[tuple],
        rules: Sequence[UpdateRule],
        layout: Layout,
        *,
        batches: int,
        capacity: int,
    ):
        self.layout, self._bow, self._models = layout, models[0], len(models)
        self._outside = [(bow.theta, m, v) for bow, (m, v) in zip(models, moments, strict=True)]
        self._xp, self._dtype = array_module_of(self._bow.theta), self._bow.theta.dtype
        self._sizes, self._V = _sizes_of(self._bow, layout.B, layout.M), self._bow.shapes["W"][0]
        self._sections = sections_of(self._bow.shapes)
        # The arguments of all kernels, by the names of their parameters.
        self._arguments = self._arrays(batches, capacity) | {"capacity": capacity}
        self._arguments |= self._scalars() | rule_arguments(self._xp, rules)
        self._arguments |= self._views_of_parameters() | self._views_of_batch()
        self._products = self._products_by_name()
        self._arguments |= self._squares(rules[0].sections)
        self._launch_all()  # loads the kernels, which is not possible while a stream is captured
        self._graph = self._record()

    def _arrays(self, batches, capacity):
        layout, (B, _, D, F, _) = self.layout, self._sizes

        def zeros(*shape, dtype=self._dtype):
            return self._xp.zeros((self._models, *shape), dtype)

        arrays = {name: zeros(self._bow.theta.size) for name in ("theta", "gradient", "m", "v")}
        # The input and the output of several steps.
        arrays["records"] = self._xp.zeros((batches, layout.size), "int32")
        arrays |= {"schedule": zeros(capacity, dtype="int32"), "done": zeros(dtype="int32")}
        arrays |= {"rates": zeros(capacity, dtype="float64"), "first_steps": zeros(dtype="int64")}
        arrays["step_losses"] = zeros(capacity, dtype="float64")
        # What the launches of a step store for the next ones.
        arrays |= {"batch": zeros(layout.size, dtype="int32"), "step": zeros(dtype="int64")}
        arrays |= {"rate": zeros(dtype="float64"), "losses": zeros(B)}
        arrays |= {"us": zeros(B, F), "hs": zeros(B, D), "dhs": zeros(B, D)}
        arrays |= saved_arrays(zeros, self._sizes) | {"d_word_scores": zeros(B, self._V)}
        # Readings of the queries and, after them, of the sentences.
        return arrays | {name: zeros(B + layout.U, D) for name in ("query", "d_query")}

    def _scalars(self):
        layout, (_, _, D, _, _) = self.layout, self._sizes
        scalars = self._sizes._asdict() | {"U": layout.U, "S": layout.S, "E": D, "V": self._V}
        scalars |= {"parameter_stride": self._bow.theta.size, "batch_stride": layout.size}
        scalars |= {"reading_stride": (layout.B + layout.U) * D, "record_size": layout.size}
        scalars |= {"sorted": 1, "sides": 2, "K": 1, "first_row": 1, "sentences": layout.U}
        scalars |= {"add": 0, "first_count": layout.B * layout.S, "count": layout.keys}
        scalars |= {"masked": self._bow.mask_padding, "encoding": self._bow.encoding}
        return scalars | {"staged": 0}  # `launch_questions` decides

    def _section(self, vector, name):
        """Return a parameter's section in a vector of the first model."""
        return self._arguments[vector][0, slice(*self._sections[name])]

    def _views_of_parameters(self):
        # R_1..R_H are contiguous.
        names = {"TK": "TK", "TV": "TV", "A": "A", "R": "R_1", "output_map": "B"}
        names |= {"table": "W_mem", "query_table": "W", "memory_table": "W_mem"}
        views = {name: self._section("theta", section) for name, section in names.items()}
        gradients = {"d_first": "W", "d_second": "W_mem"}
        return views | {name: self._section("gradient", s) for name, s in gradients.items()}

    def _views_of_batch(self):
        layout, arrays = self.layout, self._arguments
        places = {"key_rows": layout.keys, "value_rows": layout.values, "answers": layout.answers}
        places["allowed"] = layout.keys  # if masked, the slots whose key is not the empty sentence
        places["key_order"], places["key_starts"] = layout.key_places
        places["value_order"], places["value_starts"] = layout.value_places
        places["order"], places["starts"] = layout.word_places
        views = {name: arrays["batch"][0, place:] for name, place in places.items()}
        views |= {"readings": arrays["query"][0, layout.B :], "words": arrays["batch"]}
        views["d_readings"] = arrays["d_query"][0, layout.B :]
        used = {"key_p": "d_scores", "key_w": "ws", "value_p": "ps", "value_w": "d_reads"}
        return views | {name: arrays[array] for name, array in used.items()}

    def _products_by_name(self):
        """Return the products that are the matrices' gradients, by the first matrix of each."""
        (B, M, D, F, H), V, arrays = self._sizes, self._V, self._arguments

        def of(name, X, Y, *, rows, m, n, pairs=1, all_m=None):
            Z, sizes = self._section("gradient", name), {"rows": rows, "m": m, "n": n}
            return product(arrays[X], arrays[Y], Z, pairs=pairs, all_m=all_m or m, **sizes)

        slots = self._bow.shapes["TK"][0]  # a batch may have fewer
        return {
            "TK": of("TK", "d_scores", "ws", rows=H * B, m=M, n=D, all_m=slots),
            "TV": of("TV", "ps", "d_reads", rows=H * B, m=M, n=D, all_m=slots),
            "A": of("A", "into_A", "out_of_A", rows=(2 * H + 1) * B, m=F, n=D),
            "R_1": of("R_1", "dus", "ss", pairs=H, rows=B, m=F, n=F),
            "B": of("B", "us", "dhs", rows=B, m=F, n=D),
            "W_mem": of("W_mem", "d_word_scores", "hs", rows=B, m=V, n=D),
        }

    def _squares(self, sections):
        """Give each parameter a range of sums of squares, one per block of its gradient."""
        of_table = self._V * blocks_for(self._sizes.D, COLUMNS_PER_BLOCK)
        blocks = {"W": of_table, "W_mem": of_table}  # first, as words_and_squares stores them
        for first, one in self._products.items():
            names = [f"R_{h + 1}" for h in range(self._bow.hops)] if first == "R_1" else [first]
            for name in names:
                blocks.setdefault(name, blocks_of(one) // len(names))
        ranges, last = {}, 0
        for name, count in blocks.items():
            ranges[name] = last, last + count
            last += count
        chunks = chunks_of(self._xp, sections, tuple(ranges[name] for name in self._sections))
        ranges["R_1"] = ranges["R_1"][0], ranges[f"R_{self._bow.hops}"][1]  # one product
        ranges["W_mem"] = 0, 0  # the gradient of its words is added later
        ends = numpy.array([ranges[name] for name in self._products], numpy.int32)
        squares = self._xp.zeros((self._models, 2, last), self._dtype)
        return {"chunks": chunks, "ends": self._xp.asarray(ends), "squares": squares, "sums": last}

    def use(self, records) -> None:
        """Replace the first n batches by others, (n, layout.size) int32."""
        self._arguments["records"][: len(records)] = records

    def take(self, order, first_steps, rates) -> numpy.ndarray:
        """Take steps of all models, whose vectors are copied here before and back after.

        Parameters
        ----------
        order : (N, n) int array
            The record of each step.
        first_steps : (N,) int array
            Steps that each model has done before.
        rates : (N, n) float array
            Learning rates with Adam's bias correction.

        Returns
        -------
        losses : (N, n) float64 NumPy array
            Copied to the host once, after all steps.
        """
        xp, count, arrays = self._xp, order.shape[1], self._arguments
        arrays["schedule"][:, :count] = xp.asarray(order, "int32")
        arrays["rates"][:, :count] = xp.asarray(rates, "float64")
        arrays["first_steps"][:] = xp.asarray(first_steps, "int64")
        arrays["done"].fill(0)
        copies = [
            (arrays[name][n], vector)
            for n, vectors in enumerate(self._outside)
            for name, vector in zip(("theta", "m", "v"), vectors, strict=True)
        ]
        for inside, outside in copies:
            inside[:] = outside
        for _ in range(count):
            self._graph.launch()
        for inside, outside in copies:
            outside[:] = inside
        return to_numpy(arrays["step_losses"][:, :count])

    def _record(self):
        stream = self._xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            try:
                self._launch_all()
            finally:
                graph = stream.end_capture()
        return graph

    def _launch_all(self):
        layout, (B, _, D, _, _), V = self.layout, self._sizes, self._V
        columns, products = blocks_for(D, COLUMNS_PER_BLOCK), list(self._products.values())
        self._launch("begin_step", blocks_for(max(layout.size, (B + layout.U) * blocks_for(D, 4))))
        arguments = self._arguments_of("answer_loss")
        launch_questions(
            self._xp, self._dtype, "answer_loss", self._sizes, D + V, self._models, **arguments
        )
        rows_per_block = 1 if B * self._models < MANY_QUESTIONS else THREADS // WARP
        blocks = sum(map(blocks_of, products)) + blocks_for(layout.U, rows_per_block) * columns
        arguments = numbered_products(products) | {"rows_per_block": rows_per_block}
        self._launch("products_and_slots", blocks, **arguments)
        d_readings = self._arguments["d_query"]  # of the queries, too
        self._launch("words_and_squares", 2 * V, columns, d_readings=d_readings)
        self._launch("noisy_adam_and_end", len(self._arguments["chunks"]) + 1)

    def _launch(self, name, width, depth=1, **arguments):
        grid, arguments = (width, self._models, depth), self._arguments_of(name, **arguments)
        launch(self._xp, self._dtype, name, grid, **arguments)

    def _arguments_of(self, name, **arguments):
        known = self._arguments | arguments
        return {parameter: known[parameter] for parameter in parameters()[name]}
