"""The hops of the Key-Value Memory Network, one thread block per question."""

from typing import NamedTuple, Self

import numpy

from kvnet.kernels.cuda.parts.constants import QUESTION_THREADS
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.launch import as_int32, fits_shared_memory, launch
from kvnet.kernels.cuda.parts.products import products
from kvnet.operations import Memory

SMALL_VOCABULARY = 2048  # words that one block scores


class HopSizes(NamedTuple):
    """The sizes of the hops.

    Attributes
    ----------
    B, M, D, F, H : int
        Questions, slots, components of a reading and of the query, hops.
    """

    B: int
    M: int
    D: int
    F: int
    H: int

    @property
    def shared_size(self) -> int:
        """Floats of shared memory per question."""
        return 2 * self.F + 2 * self.D + self.M + QUESTION_THREADS

    def fits_block(self, dtype, E: int, V: int) -> bool:
        """Return whether one block computes a question, the scores of V words included."""
        return V <= SMALL_VOCABULARY and fits_shared_memory(self.shared_size + E + V, dtype)


class MemoryArguments(NamedTuple):
    """The arguments of a kernel that name a memory; see `kvnet.operations.key_value_hops_by_row`.

    Attributes
    ----------
    B, M, D, F, H : int
    query, readings, TK, TV, A, R : contiguous float array
    key_rows, value_rows, allowed : int32 array
        `allowed` is not read unless masked.
    masked : int
    """

    B: int
    M: int
    D: int
    F: int
    H: int
    query: numpy.ndarray
    readings: numpy.ndarray
    TK: numpy.ndarray
    TV: numpy.ndarray
    A: numpy.ndarray
    R: numpy.ndarray
    key_rows: numpy.ndarray
    value_rows: numpy.ndarray
    allowed: numpy.ndarray
    masked: int


class SavedHops(NamedTuple):
    """What the hops of N models save for the gradients, in arrays whose first dimension is N.

    Attributes
    ----------
    into_A, out_of_A : (N, (2 H + 1) B, F or D) float array
        The factors of A's gradient, which is one sum of outer products: ds, u and du_0; what was
        read, dw and the query.
    ws, ps, ss, dus, d_reads, d_scores : (N, H, B, D or M or F) float array
    d_query : float array
    """

    into_A: numpy.ndarray
    out_of_A: numpy.ndarray
    ws: numpy.ndarray
    ps: numpy.ndarray
    ss: numpy.ndarray
    dus: numpy.ndarray
    d_reads: numpy.ndarray
    d_scores: numpy.ndarray
    d_query: numpy.ndarray

    @classmethod
    def allocate(cls, xp, sizes: HopSizes, dtype, models: int = 1, d_query=None) -> Self:
        """Return arrays without values; `d_query` replaces the one for the query's gradient."""
        B, M, D, F, H = sizes

        def empty(*shape):
            return xp.empty((models, *shape), dtype)

        return cls(
            into_A=empty((2 * H + 1) * B, F),
            out_of_A=empty((2 * H + 1) * B, D),
            ws=empty(H, B, D),
            ps=empty(H, B, M),
            ss=empty(H, B, F),
            dus=empty(H, B, F),
            d_reads=empty(H, B, D),
            d_scores=empty(H, B, M),
            d_query=empty(B, D) if d_query is None else d_query,
        )


class Strides(NamedTuple):
    """Elements from one model to the next; see common.cu.

    Attributes
    ----------
    parameter_stride, batch_stride, reading_stride : int
        Of all parameters, of a batch record, of all readings.
    """

    parameter_stride: int = 0
    batch_stride: int = 0
    reading_stride: int = 0


class BlockHops:
    """The hops of one model, one block per question: what kernels are given, and the gradients.

    Parameters
    ----------
    xp, query, memory, A, R
        As for `kvnet.operations.key_value_hops_by_row`.

    Attributes
    ----------
    sizes : HopSizes
    saved : SavedHops
    """

    def __init__(self, xp, query, memory: Memory, A, R):
        self.xp, self.dtype, self.sizes = xp, A.dtype, hop_sizes(query, memory, A, R)
        self.saved = SavedHops.allocate(xp, self.sizes, A.dtype)
        floats = {"query": query, "readings": memory.readings, "TK": memory.TK, "TV": memory.TV}
        floats |= {"A": A, "R": R}
        self._memory = MemoryArguments(
            **self.sizes._asdict(),
            **{name: xp.ascontiguousarray(array) for name, array in floats.items()},
            **slot_arguments(xp, memory),
        )

    def launch(self, name: str, extra_shared: int = 0, **arguments) -> None:
        """Launch a kernel on all questions."""
        groups = self._memory._asdict() | self.saved._asdict() | Strides()._asdict()
        launch_questions(self.xp, self.dtype, name, self.sizes, extra_shared, **groups, **arguments)

    def gradients(self, more=()) -> tuple:
        """Return ``d_query, d_memory, dA, dR``, then the products of further pairs of factors."""
        saved, xp, rows = self.saved, self.xp, self.sizes.H * self.sizes.B
        d_scores, ws, ps, d_reads = (
            array.reshape(rows, -1) for array in (saved.d_scores, saved.ws, saved.ps, saved.d_reads)
        )
        factors = [(d_scores, ws), (ps, d_reads), (saved.into_A[0], saved.out_of_A[0])]
        factors.append((saved.dus[0], saved.ss[0]))
        dTK, dTV, dA, dR, *others = products(xp, [*factors, *more])
        sides = [
            (self._memory.key_rows, saved.d_scores[0], saved.ws[0]),
            (self._memory.value_rows, saved.ps[0], saved.d_reads[0]),
        ]
        d_readings = gather_slots(xp, len(self._memory.readings), sides)
        return saved.d_query[0], Memory(d_readings, dTK, dTV), dA, dR, *others


def hop_sizes(query, memory: Memory, A, R) -> HopSizes:
    """Return the sizes of the hops over a memory."""
    return HopSizes(B=len(query), M=len(memory.TK), D=A.shape[1], F=len(A), H=len(R))


def slot_arguments(xp, memory: Memory) -> dict:
    """Return the rows of the slots, one array if keys are values, and the mask, for kernels."""
    keys = as_int32(xp, memory.key_rows)
    values = keys if memory.value_rows is memory.key_rows else as_int32(xp, memory.value_rows)
    masked = memory.allowed is not None
    allowed = as_int32(xp, memory.allowed) if masked else keys
    return {"key_rows": keys, "value_rows": values, "allowed": allowed, "masked": int(masked)}


def launch_questions(
    xp, dtype, name: str, sizes: HopSizes, extra_shared: int = 0, models: int = 1, /, **arguments
) -> None:
    """Launch a kernel with one block per question, and `extra_shared` more floats per block."""
    shared_size, threads = sizes.shared_size + extra_shared, QUESTION_THREADS
    grid = sizes.B, models
    launch(xp, dtype, name, grid, shared_size=shared_size, threads=threads, **arguments)
