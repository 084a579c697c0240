"""Training steps of models with the bow reader: a CUDA graph, recorded once and replayed."""

from collections.abc import Sequence

import numpy

from kvnet.backend import array_module_of, to_numpy
from kvnet.kernels.cuda.parts.batch_records import Layout, pack
from kvnet.kernels.cuda.parts.constants import COLUMNS_PER_BLOCK, PRODUCTS_PER_LAUNCH
from kvnet.kernels.cuda.parts.gather import Slots, Words
from kvnet.kernels.cuda.parts.key_value_hops import (
    HopSizes,
    MemoryArguments,
    SavedHops,
    Strides,
    launch_questions,
)
from kvnet.kernels.cuda.parts.launch import blocks_for, launch, numbered
from kvnet.kernels.cuda.parts.products import Product
from kvnet.kernels.cuda.parts.update import Squares, chunks_of, launch_update
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
        self.layout, self.bow, self.rules, self.capacity = layout, models[0], rules, capacity
        self.outside = [(bow.theta, m, v) for bow, (m, v) in zip(models, moments, strict=True)]
        self.xp, self.dtype = array_module_of(self.bow.theta), self.bow.theta.dtype
        self.sizes = _sizes_of(self.bow, layout.B, layout.M)
        self.vocabulary_size, self.slots = self.bow.shapes["W"][0], self.bow.shapes["TK"][0]
        self._sections = sections_of(self.bow.shapes)
        self.records = self.xp.zeros((batches, layout.size), "int32")
        self._allocate()
        self.products = self._products()
        self._plan_squares()
        self._launch_all()  # loads the kernels, which is not possible while a stream is captured
        self.graph = self._record()

    def _allocate(self):
        xp, layout, (B, _, D, F, _) = self.xp, self.layout, self.sizes
        parameters, models = self.bow.theta.size, len(self.outside)

        def zeros(*shape, dtype=self.dtype):
            return xp.zeros((models, *shape), dtype)

        # Input of the steps of a call.
        self.order = zeros(self.capacity, dtype="int32")
        self.rates = zeros(self.capacity, dtype="float64")
        self.first_steps, self.done = zeros(dtype="int64"), zeros(dtype="int32")
        self.theta, self.m, self.v = (zeros(parameters) for _ in range(3))
        # What the launches of a step store for the next ones.
        self.batch, self.step = zeros(layout.size, dtype="int32"), zeros(dtype="int64")
        self.rate = zeros(dtype="float64")
        self.readings, self.d_readings = (zeros(B + layout.U, D) for _ in range(2))
        self.saved = SavedHops.allocate(xp, self.sizes, self.dtype, models, self.d_readings)
        self.us, self.hs, self.dhs = zeros(B, F), zeros(B, D), zeros(B, D)
        self.d_word_scores, self.losses = zeros(B, self.vocabulary_size), zeros(B)
        self.gradient = zeros(parameters)
        self.step_losses = zeros(self.capacity, dtype="float64")
        self.strides = Strides(
            parameter_stride=parameters,
            batch_stride=layout.size,
            reading_stride=(B + layout.U) * D,
        )

    def _products(self):
        """Return the products that are the matrices' gradients, by the first matrix of each."""
        saved, (B, M, D, F, H), V = self.saved, self.sizes, self.vocabulary_size

        def product(name, X, Y, *, rows, m, n, pairs=1, all_m=None):
            Z = self._section(self.gradient, name)
            return Product(X=X, Y=Y, Z=Z, pairs=pairs, rows=rows, m=m, n=n, all_m=all_m or m)

        slots = {"rows": H * B, "m": M, "n": D, "all_m": self.slots}  # a batch may have fewer slots
        return {
            "TK": product("TK", saved.d_scores, saved.ws, **slots),
            "TV": product("TV", saved.ps, saved.d_reads, **slots),
            "A": product("A", saved.into_A, saved.out_of_A, rows=(2 * H + 1) * B, m=F, n=D),
            "R_1": product("R_1", saved.dus, saved.ss, pairs=H, rows=B, m=F, n=F),
            "B": product("B", self.us, self.dhs, rows=B, m=F, n=D),
            "W_mem": product("W_mem", self.d_word_scores, self.hs, rows=B, m=V, n=D),
        }

    def _plan_squares(self):
        """Give each parameter a range of sums of squares, one per block of its gradient."""
        ranges, last = {}, 0
        for name, blocks in self._blocks_per_parameter().items():
            ranges[name] = last, last + blocks
            last += blocks
        sections = self.rules[0].sections
        self.chunks = chunks_of(self.xp, sections, tuple(ranges[name] for name in self._sections))
        ranges["R_1"] = ranges["R_1"][0], ranges[f"R_{self.bow.hops}"][1]  # one product
        ranges["W_mem"] = 0, 0  # the gradient of its words is added later
        ends = numpy.array([ranges[name] for name in self.products], numpy.int32)
        self.ends = self.xp.asarray(ends)
        self.squares = Squares(
            theta=self.theta,
            gradient=self.gradient,
            l2=float(self.rules[0].l2_lambda),
            squares=self.xp.zeros((len(self.outside), 2, last), self.dtype),
            sums=last,
        )

    def _blocks_per_parameter(self):
        """Return the number of blocks that compute each gradient, the tables first."""
        of_table = self.vocabulary_size * blocks_for(self.sizes.D, COLUMNS_PER_BLOCK)
        blocks = {"W": of_table, "W_mem": of_table}
        for name, product in self.products.items():
            if name == "R_1":
                names = [f"R_{hop}" for hop in range(1, self.bow.hops + 1)]
                blocks |= dict.fromkeys(names, product.blocks // self.bow.hops)
            else:
                blocks.setdefault(name, product.blocks)
        return blocks

    def use(self, records) -> None:
        """Replace the first n batches by others, (n, layout.size) int32."""
        self.records[: len(records)] = records

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
        xp, count = self.xp, order.shape[1]
        self.order[:, :count] = xp.asarray(order, "int32")
        self.rates[:, :count] = xp.asarray(rates, "float64")
        self.first_steps[:] = xp.asarray(first_steps, "int64")
        self.done.fill(0)
        inside = zip(self.theta, self.m, self.v, strict=True)
        copies = [
            pair
            for here, there in zip(inside, self.outside, strict=True)
            for pair in zip(here, there, strict=True)
        ]
        for here, there in copies:
            here[:] = there
        for _ in range(count):
            self.graph.launch()
        for here, there in copies:
            there[:] = here
        return to_numpy(self.step_losses[:, :count])

    def _record(self):
        stream = self.xp.cuda.Stream(non_blocking=True)
        with stream:
            stream.begin_capture()
            try:
                self._launch_all()
            finally:
                graph = stream.end_capture()
        return graph

    def _launch_all(self):
        self._begin_step()
        self._answer()
        self._gather_sentences()
        self._gather_words()
        launch_update(
            self.xp,
            "noisy_adam_and_end",
            (self.theta, self.gradient, self.m, self.v),
            self.chunks,
            self.squares.squares,
            self.step,
            self.rate,
            self.rules,
            losses=self.losses,
            B=self.layout.B,
            capacity=self.capacity,
            done=self.done,
            step_losses=self.step_losses,
        )

    def _launch(self, name, width, depth=1, **arguments):
        launch(self.xp, self.dtype, name, (width, len(self.outside), depth), **arguments)

    def _section(self, vectors, name):
        """Return a parameter's section in the first model's vector."""
        return vectors[0, slice(*self._sections[name])]

    def _from(self, place):
        """Return the first model's batch from a place on."""
        return self.batch[0, place:]

    def _begin_step(self):
        layout, (_, _, D, _, _) = self.layout, self.sizes
        self._launch(
            "begin_step",
            blocks_for(max(layout.size, (layout.B + layout.U) * D)),
            records=self.records,
            record_size=layout.size,
            order=self.order,
            rates=self.rates,
            first_steps=self.first_steps,
            capacity=self.capacity,
            done=self.done,
            batch=self.batch,
            step=self.step,
            rate=self.rate,
            B=layout.B,
            U=layout.U,
            S=layout.S,
            E=D,
            query_table=self._section(self.theta, "W"),
            memory_table=self._section(self.theta, "W_mem"),
            parameters=self.strides.parameter_stride,
            encoding=self.bow.encoding,
            readings=self.readings,
        )

    def _answer(self):
        """Compute the losses and the whole backward pass, one block per question."""
        layout, E, V = self.layout, self.sizes.D, self.vocabulary_size
        keys = self._from(layout.keys)
        memory = MemoryArguments(
            **self.sizes._asdict(),
            query=self.readings[0, : layout.B],
            readings=self.readings[0, layout.B :],
            TK=self._section(self.theta, "TK"),
            TV=self._section(self.theta, "TV"),
            A=self._section(self.theta, "A"),
            R=self._section(self.theta, "R_1"),  # the others follow it
            key_rows=keys,
            value_rows=self._from(layout.values),
            allowed=keys,  # the slots whose key is not the empty sentence
            masked=int(self.bow.mask_padding),
        )
        launch_questions(
            self.xp,
            self.dtype,
            "answer_loss",
            self.sizes,
            E + V,
            len(self.outside),
            **memory._asdict(),
            **self.saved._asdict(),
            **self.strides._asdict(),
            E=E,
            V=V,
            output_map=self._section(self.theta, "B"),
            table=self._section(self.theta, "W_mem"),
            answers=self._from(layout.answers),
            us=self.us,
            hs=self.hs,
            dhs=self.dhs,
            d_word_scores=self.d_word_scores,
            losses=self.losses,
        )

    def _gather_sentences(self):
        """Compute the gradients of the matrices and of the readings."""
        layout, saved, (B, M, D, _, H) = self.layout, self.saved, self.sizes
        key_order, key_starts = map(self._from, layout.key_places)
        value_order, value_starts = map(self._from, layout.value_places)
        slots = Slots(
            sorted=1,
            sides=2,
            key_rows=self._from(layout.keys),
            value_rows=self._from(layout.values),
            key_order=key_order,
            key_starts=key_starts,
            value_order=value_order,
            value_starts=value_starts,
            B=B,
            M=M,
            K=1,
            H=H,
            D=D,
            first_row=1,
            key_p=saved.d_scores,
            key_w=saved.ws,
            value_p=saved.ps,
            value_w=saved.d_reads,
        )
        products = list(self.products.values())
        self._launch(
            "products_and_slots",
            max(layout.U, *(product.blocks for product in products)),
            PRODUCTS_PER_LAUNCH + blocks_for(D, COLUMNS_PER_BLOCK),
            **numbered(products, PRODUCTS_PER_LAUNCH),
            **slots._asdict(),
            **self.strides._asdict(),
            **self.squares._asdict(),
            sentences=layout.U,
            ends=self.ends,
            d_readings=self.d_readings[0, B:],
        )

    def _gather_words(self):
        """Compute the gradients of the tables."""
        layout, V, E = self.layout, self.vocabulary_size, self.sizes.D
        order, starts = map(self._from, layout.word_places)
        words = Words(
            sorted=1,
            add=0,
            words=self.batch,
            first_count=layout.B * layout.S,
            count=layout.keys,
            order=order,
            starts=starts,
            S=layout.S,
            E=E,
            V=V,
            encoding=self.bow.encoding,
            d_readings=self.d_readings,
        )
        self._launch(
            "words_and_squares",
            2 * V,
            blocks_for(E, COLUMNS_PER_BLOCK),
            **words._asdict(),
            **self.strides._asdict(),
            **self.squares._asdict(),
            d_first=self._section(self.gradient, "W"),
            d_second=self._section(self.gradient, "W_mem"),
        )
