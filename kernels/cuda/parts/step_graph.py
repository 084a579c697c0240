"""A training step of the Key-Value Memory Network as a CUDA graph, for several starts at once."""

import numpy

from kvnet.backend import to_numpy
from kvnet.kernels.cuda.parts.batch_records import Layout
from kvnet.kernels.cuda.parts.compilation import blocks, launch
from kvnet.kernels.cuda.parts.gather import COLUMNS_A_BLOCK
from kvnet.kernels.cuda.noisy_adam import chunks_of, launch_update
from kvnet.kernels.cuda.parts.products import PRODUCTS_A_LAUNCH, blocks_of, most_blocks
from kvnet.kernels.cuda.key_value_hops_by_row import Kept, Sizes, launch_questions
from kvnet.parameter_vector import sections_of


class StepGraph:
    """Five launches, recorded once and replayed for every step.

    All that a step reads and writes stays on the device at one place: records of all batches to
    come, the order they come in, learning rates, and each start's parameters, one start's after
    another. A launch works on all starts.

    Parameters
    ----------
    trainers : sequence of N Trainer
        Of one data set and one set of settings.
    layout : Layout
    batches : int
        How many to make room for.
    """

    def __init__(self, trainers, layout: Layout, batches: int):
        self.model, self.optimizer = trainers[0].model, trainers[0].optimizer
        self.rules = [trainer.optimizer.rule for trainer in trainers]
        self.l2_lambda = float(trainers[0].settings.l2_lambda)
        self.xp, self.dtype = self.model.xp, self.model.theta.dtype
        self.layout, self.records = layout, self.xp.zeros((batches, layout.size), "int32")
        self.starts, self.capacity = len(trainers), trainers[0].batches.steps_per_epoch
        self._sections = sections_of(self.model.shapes)
        self._allocate()
        self._launch_all()  # loads the kernels, which a recording must not
        self.graph = self._record()

    def _allocate(self):
        xp, layout, N = self.xp, self.layout, self.starts
        F, D = self.model.params["A"].shape
        self.sizes = Sizes(layout.B, layout.M, D, F, self.model.hops)
        self.vocabulary_size = len(self.model.params["W"])
        # From a start's parameters, batch and readings to the next one's.
        self._strides = self.model.theta.size, layout.size, (layout.B + layout.U) * D

        def zeros(*shape, dtype=self.dtype):
            return xp.zeros((N, *shape), dtype)

        # What some steps begin from.
        self.order = zeros(self.capacity, dtype="int32")
        self.rates = zeros(self.capacity, dtype="float64")
        self.first_steps, self.done = zeros(dtype="int64"), zeros(dtype="int32")
        self.theta, self.m, self.v = (zeros(self.model.theta.size) for _ in range(3))
        # What a step's launches leave to each other.
        self.batch, self.step = zeros(layout.size, dtype="int32"), zeros(dtype="int64")
        self.rate = zeros(dtype="float64")
        self.readings, self.d_readings = (zeros(layout.B + layout.U, D) for _ in range(2))
        self.kept = Kept(xp, self.sizes, self.dtype, N, self.d_readings)
        self.u, self.h, self.dh = zeros(layout.B, F), zeros(layout.B, D), zeros(layout.B, D)
        self.d_scores, self.losses = zeros(layout.B, self.vocabulary_size), zeros(layout.B)
        self.gradient = zeros(self.model.theta.size)
        self.step_losses = zeros(self.capacity, dtype="float64")
        self.jobs = self._jobs()
        # The launches that make the gradient leave its squares, a part a block.
        ends, last = {}, 0
        for name, count in self._parts().items():
            ends[name] = last, last + count
            last += count
        sections = self.optimizer.rule.sections
        self.chunks = chunks_of(xp, sections, tuple(ends[name] for name in self._sections))
        ends["R_1"] = ends["R_1"][0], ends[f"R_{self.model.hops}"][1]  # one job
        ends["W_mem"] = 0, 0  # the words' gradient is still to come
        ends = numpy.array([ends[name] for name in self.jobs], numpy.int32)
        self.ends_of_jobs = xp.asarray(ends)
        self.squares = zeros(2, last)

    def _jobs(self):
        """Return the products that make the matrices' gradients, by the first of what they make."""
        kept, (B, M, D, F, H), V = self.kept, self.sizes, self.vocabulary_size

        def job(X, Y, name, *sizes):
            return X, Y, self._parameter(self.gradient, name), *sizes

        slots = len(self.model.params["TK"])  # a batch may have fewer
        return {
            "TK": job(kept.d_scores, kept.ws, "TK", 1, H * B, M, D, slots),
            "TV": job(kept.ps, kept.d_reads, "TV", 1, H * B, M, D, slots),
            "A": job(kept.into_A, kept.out_of_A, "A", 1, (2 * H + 1) * B, F, D, F),
            "R_1": job(kept.dus, kept.ss, "R_1", H, B, F, F, F),
            "B": job(self.u, self.dh, "B", 1, B, F, D, F),
            "W_mem": job(self.d_scores, self.h, "W_mem", 1, B, V, D, V),
        }

    def _parts(self):
        """Return how many parts of the squares each array has, in order: the tables first."""
        words = self.vocabulary_size * blocks(self.sizes.D, COLUMNS_A_BLOCK)
        parts = {"W": words, "W_mem": words}
        for name, job in self.jobs.items():
            if name == "R_1":
                names = [f"R_{hop}" for hop in range(1, self.model.hops + 1)]
                parts |= dict.fromkeys(names, blocks_of(job) // self.model.hops)
            elif name not in parts:
                parts[name] = blocks_of(job)
        return parts

    def use(self, records) -> None:
        """Take other batches, (n, layout.size), from the next step on."""
        self.records[: len(records)] = records

    def take(self, trainers, order, first_steps, rates):
        """Take steps from where the trainers stand, and bring their models up to date.

        Parameters
        ----------
        trainers : sequence of N Trainer
        order : (N, n) int array
            Which record each step takes.
        first_steps : (N,) int array
        rates : (N, n) float array
            Corrected ones.

        Returns
        -------
        losses : (N, n) float64 NumPy array
            The one copy to the host, after all steps.
        """
        xp, count = self.xp, order.shape[1]
        self.order[:, :count] = xp.asarray(order, "int32")
        self.rates[:, :count] = xp.asarray(rates, "float64")
        self.first_steps[:] = xp.asarray(first_steps, "int64")
        self.done.fill(0)
        pairs = [
            pair
            for n, trainer in enumerate(trainers)
            for pair in (
                (self.theta[n], trainer.model.theta),
                (self.m[n], trainer.optimizer.m),
                (self.v[n], trainer.optimizer.v),
            )
        ]
        for here, there in pairs:
            here[:] = there
        for _ in range(count):
            self.graph.launch()
        for here, there in pairs:
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
        """Launch a step's kernels."""
        self._begin()
        self._answer()
        self._gather_gradients()
        vectors = self.theta, self.gradient, self.m, self.v
        update = self.chunks, self.squares, self.step, self.rate, self.rules
        end = self.losses, self.layout.B, self.capacity, self.done, self.step_losses
        launch_update(self.xp, vectors, self.l2_lambda, *update, end)

    def _launch(self, name, width, arguments, depth=1):
        launch(self.xp, self.dtype, name, (width, self.starts, depth), arguments)

    def _parameter(self, vectors, name):
        """Return the first start's part; the others' follow at the same distance."""
        return vectors[0, slice(*self._sections[name])]

    def _from(self, number):
        """Return the first start's batch from a number on."""
        return self.batch[0, number:]

    def _begin(self):
        """Take each start's batch and read its sentences."""
        layout, (_, _, D, _, _) = self.layout, self.sizes
        W, W_mem = (self._parameter(self.theta, name) for name in ("W", "W_mem"))
        plan = self.records, layout.size, self.order, self.rates, self.first_steps, self.capacity
        now = self.done, self.batch, self.step, self.rate
        reading = layout.B, layout.U, layout.S, D, W, W_mem, self._strides[0]
        width = blocks(max(layout.size, (layout.B + layout.U) * D))
        self._launch(
            "begin_step", width, [*plan, *now, *reading, self.model.encoding, self.readings]
        )

    def _answer(self):
        """Go to the losses and back, a block of threads a question."""
        layout, E, V = self.layout, self.sizes.D, self.vocabulary_size
        names = ("TK", "TV", "A", "R_1")  # the hop matrices stand one after another
        parameters = [self._parameter(self.theta, name) for name in names]
        query, memory = self.readings[0, : layout.B], self.readings[0, layout.B :]
        keys, values, answers = map(self._from, (layout.keys, layout.values, layout.answers))
        masked = int(self.model.mask_padding)  # slots whose key is not the empty sentence
        arguments = [*self.sizes, query, memory, *parameters, keys, values, keys, masked]
        arguments += [*self.kept.arguments, *self._strides, E, V]
        arguments += [self._parameter(self.theta, name) for name in ("B", "W_mem")]
        arguments += [answers, self.u, self.h, self.d_scores, self.dh, self.losses]
        given = self.sizes, arguments, E + V, self.starts
        launch_questions(self.xp, self.dtype, "answer_loss", *given)

    def _gather_gradients(self):
        """Make the matrices' gradients, then the readings', then the tables'."""
        kept, layout, (B, M, D, _, H) = self.kept, self.layout, self.sizes
        V, jobs = self.vocabulary_size, self.jobs.values()
        squares = self.theta, self.gradient, self.l2_lambda, self.squares, self.squares.shape[2]
        slots = layout.keys, layout.values, *layout.key_places, *layout.value_places
        gradients = kept.d_scores, kept.ws, kept.ps, kept.d_reads, self.d_readings[0, B:]
        slots = [1, 2, *map(self._from, slots), B, M, 1, H, D, 1, *gradients]
        columns = blocks(D, COLUMNS_A_BLOCK)
        arguments = [*(part for one in jobs for part in one), *self._strides[:1], *slots]
        arguments += [*self._strides[1:], layout.U, self.ends_of_jobs, *squares]
        width, depth = max(most_blocks(jobs), layout.U), PRODUCTS_A_LAUNCH + columns
        self._launch("products_and_slots", width, arguments, depth)
        places = map(self._from, layout.word_places)
        words = [1, 0, self.batch, B * layout.S, layout.keys, *places, layout.S, D, V]
        tables = [self._parameter(self.gradient, name) for name in ("W", "W_mem")]
        words += [self.model.encoding, self.d_readings, *tables, *self._strides]
        self._launch("words_and_squares", 2 * V, [*words, *squares], columns)
