"""The hops of the Key-Value Memory Network, one thread block per question."""

from typing import NamedTuple

from kvnet.kernels.cuda.parts.constants import FEW_THREADS, MANY_THREADS, PARTIAL_SUMS
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.launch import as_int32, fits_shared_memory, launch
from kvnet.kernels.cuda.parts.products import products
from kvnet.operations import Memory

SMALL_VOCABULARY = 2048  # words that one block scores
MANY_QUESTIONS = 512  # from which on small blocks keep a GPU busy, with fewer threads that idle


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
        return 2 * self.F + 2 * self.D + self.M + PARTIAL_SUMS

    def fits_block(self, dtype, E: int, V: int) -> bool:
        """Return whether one block computes a question, the scores of V words included."""
        return V <= SMALL_VOCABULARY and fits_shared_memory(self.shared_size + E + V, dtype)


def hop_sizes(query, memory: Memory, A, R) -> HopSizes:
    """Return the sizes of the hops over a memory."""
    return HopSizes(B=len(query), M=len(memory.TK), D=A.shape[1], F=len(A), H=len(R))


def saved_arrays(empty, sizes: HopSizes) -> dict:
    """Return arrays for what the hops save for the gradients, by the names in key_value_hops.cu.

    Parameters
    ----------
    empty : callable
        Returns an array of a shape.
    sizes : HopSizes
    """
    B, M, D, F, H = sizes
    into_A, out_of_A = empty((2 * H + 1) * B, F), empty((2 * H + 1) * B, D)
    saved = {"into_A": into_A, "out_of_A": out_of_A, "d_query": empty(B, D)}
    widths = {"ws": D, "ps": M, "ss": F, "dus": F, "d_reads": D, "d_scores": M}
    return saved | {name: empty(H, B, width) for name, width in widths.items()}


class BlockHops:
    """The hops of one model, one block per question: the launches, and the gradients.

    Parameters
    ----------
    xp, query, memory, A, R
        As for `kvnet.operations.key_value_hops_by_row`.

    Attributes
    ----------
    sizes : HopSizes
    saved : dict of str to array
        As returned by `saved_arrays`.
    """

    def __init__(self, xp, query, memory: Memory, A, R):
        self.xp, self.dtype, self.sizes = xp, A.dtype, hop_sizes(query, memory, A, R)
        self.saved = saved_arrays(lambda *shape: xp.empty(shape, A.dtype), self.sizes)
        self._slots, self._sentences = slot_arguments(xp, memory), len(memory.readings)
        floats = {"query": query, "readings": memory.readings, "TK": memory.TK, "TV": memory.TV}
        floats |= {"A": A, "R": R}
        self._floats = {name: xp.ascontiguousarray(array) for name, array in floats.items()}

    def launch(self, name: str, extra_shared: int = 0, **arguments) -> None:
        """Launch a kernel on all questions."""
        strides = {"parameter_stride": 0, "batch_stride": 0, "reading_stride": 0}
        arguments |= self._floats | self._slots | self.saved | self.sizes._asdict() | strides
        launch_questions(self.xp, self.dtype, name, self.sizes, extra_shared, **arguments)

    def gradients(self, more=()) -> tuple:
        """Return ``d_query, d_memory, dA, dR``, then the products of further pairs of factors."""
        saved, pairs = self.saved, [("d_scores", "ws"), ("ps", "d_reads")]
        factors = [[saved[name].reshape(-1, saved[name].shape[2]) for name in p] for p in pairs]
        factors += [(saved["into_A"], saved["out_of_A"]), (saved["dus"], saved["ss"]), *more]
        dTK, dTV, dA, dR, *others = products(self.xp, factors)
        sides = [
            (self._slots[rows], saved[p], saved[w])
            for rows, (p, w) in zip(("key_rows", "value_rows"), pairs, strict=True)
        ]
        d_readings = gather_slots(self.xp, self._sentences, sides)
        return saved["d_query"], Memory(d_readings, dTK, dTV), dA, dR, *others


def slot_arguments(xp, memory: Memory) -> dict:
    """Return the rows of the slots, one array if keys are values, and the mask, for kernels."""
    keys = as_int32(xp, memory.key_rows)
    values = keys if memory.value_rows is memory.key_rows else as_int32(xp, memory.value_rows)
    masked = memory.allowed is not None
    allowed = as_int32(xp, memory.allowed) if masked else keys  # not read
    return {"key_rows": keys, "value_rows": values, "allowed": allowed, "masked": masked}


def launch_questions(
    xp, dtype, name: str, sizes: HopSizes, extra_shared: int = 0, models: int = 1, /, **arguments
) -> None:
    """Launch a kernel with one block per question, and `extra_shared` more floats per block.

    If they fit, keys and values of a question's slots are stored in shared memory, too.
    """
    shared_size, staging = sizes.shared_size + extra_shared, 2 * sizes.M * sizes.D
    if staged := fits_shared_memory(shared_size + staging, dtype):
        shared_size += staging
    threads = MANY_THREADS if sizes.B * models < MANY_QUESTIONS else FEW_THREADS
    arguments |= {"shared_size": shared_size, "threads": threads, "staged": staged}
    launch(xp, dtype, name, (sizes.B, models), **arguments)
