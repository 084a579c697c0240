"""The memory read over all hops, a block of threads a question, and the way back."""

from typing import NamedTuple

from kvnet.kernels.cuda.parts.compilation import SHARED_BYTES, launch
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.large_memory import read_large_memory, rows_and_mask, way_to
from kvnet.kernels.cuda.parts.products import products
from kvnet.operations import key_value_hops_by_row as textbook_read_slots

QUESTION_THREADS = 512  # as the kernels know


class Kept:
    """What the hops keep for the gradients, each start's after another.

    Parameters
    ----------
    xp : module
        Array module.
    sizes : Sizes
    dtype : numpy dtype
    starts : int
    d_query : array, optional
        Where the query's gradient goes.

    Attributes
    ----------
    arguments : list
        Of the kernels.
    """

    def __init__(self, xp, sizes: "Sizes", dtype, starts: int = 1, d_query=None):
        B, M, D, F, H = sizes

        def empty(*shape):
            return xp.empty((starts, *shape), dtype)

        # A's gradient is one sum of outer products, so its factors stand one under the other: ds, u
        # and du_0; what was read, dw and the query.
        self.into_A, self.out_of_A = empty((2 * H + 1) * B, F), empty((2 * H + 1) * B, D)
        self.ws, self.ps, self.ss = empty(H, B, D), empty(H, B, M), empty(H, B, F)
        self.dus, self.d_reads, self.d_scores = empty(H, B, F), empty(H, B, D), empty(H, B, M)
        self.d_query = empty(B, D) if d_query is None else d_query
        self.arguments = [self.into_A, self.out_of_A, self.ws, self.ps, self.ss, self.dus]
        self.arguments += [self.d_reads, self.d_scores, self.d_query]


class Reading:
    """A memory with what its kernels are given and what they leave.

    Parameters
    ----------
    xp, query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
        As for `kvnet.operations.key_value_hops_by_row`.

    Attributes
    ----------
    sizes : Sizes
    kept : Kept
    arguments : list
        Of every kernel.
    """

    def __init__(self, xp, query, readings, TK, TV, A, hop_matrices, *slots):
        (B, D), M, F, H = query.shape, len(TK), len(A), len(hop_matrices)
        self.xp, self.dtype, self.sizes = xp, A.dtype, Sizes(B, M, D, F, H)
        self.sentences = len(readings)
        self.key_rows, self.value_rows, mask = rows_and_mask(xp, *slots)
        R = xp.empty((H, F, F), A.dtype)
        for h, matrix in enumerate(hop_matrices):
            R[h] = matrix
        self.kept = Kept(xp, self.sizes, A.dtype)
        given = [query, readings, TK, TV, A, R, self.key_rows, self.value_rows]
        self.arguments = [*self.sizes, *map(xp.ascontiguousarray, given), *mask]
        self.arguments += [*self.kept.arguments, 0, 0, 0]

    def gradients(self, more=()) -> tuple:
        """Return ``d_query, d_readings, dTK, dTV, dA, d_hop_matrices``.

        After them come the products of further pairs of matrices, which share a launch.
        """
        kept, rows = self.kept, self.sizes.H * self.sizes.B
        in_rows = [a.reshape(rows, -1) for a in (kept.d_scores, kept.ws, kept.ps, kept.d_reads)]
        d_scores, ws, ps, d_reads = in_rows
        pairs = [(d_scores, ws), (ps, d_reads), (kept.into_A[0], kept.out_of_A[0])]
        pairs.append((kept.dus[0], kept.ss[0]))
        dTK, dTV, dA, dR, *others = products(self.xp, [*pairs, *more])
        sides = [
            (self.key_rows, kept.d_scores[0], kept.ws[0]),
            (self.value_rows, kept.ps[0], kept.d_reads[0]),
        ]
        d_readings = gather_slots(self.xp, self.sentences, sides)
        return kept.d_query[0], d_readings, dTK, dTV, dA, list(dR), *others


class Sizes(NamedTuple):
    """Sizes of a memory read, by their letters."""

    B: int
    M: int
    D: int
    F: int
    H: int

    @property
    def shared_numbers(self) -> int:
        """Return how many numbers of shared memory a question takes."""
        return 2 * self.F + 2 * self.D + self.M + QUESTION_THREADS


def launch_questions(
    xp, dtype, name: str, sizes: Sizes, arguments, more: int = 0, starts: int = 1
) -> None:
    """Run a kernel that takes a question a block, with so many numbers more in shared memory."""
    grid, shared = (sizes.B, starts), sizes.shared_numbers + more
    launch(xp, dtype, name, grid, arguments, shared, QUESTION_THREADS)


def fits(sizes: Sizes, dtype, more: int = 0) -> bool:
    """Return whether a question's vectors, and so many numbers more, fit into shared memory."""
    return (sizes.shared_numbers + more) * dtype.itemsize <= SHARED_BYTES


def key_value_hops_by_row(xp, query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed):
    """Do what `kvnet.operations.key_value_hops_by_row` does; the textbook itself where a memory is too wide.

    Parameters, returns and source: see `kvnet.operations.key_value_hops_by_row`.
    """
    given = query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
    sizes = Sizes(len(query), len(TK), A.shape[1], len(A), len(hop_matrices))
    way = way_to(*sizes[:4], len(readings), A.dtype)
    if way:
        return read_large_memory(xp, *given, way)
    if not fits(sizes, A.dtype):
        return textbook_read_slots(xp, *given)
    reading = Reading(xp, *given)
    u = xp.empty((sizes.B, sizes.F), A.dtype)
    launch_questions(xp, A.dtype, "key_value_hops_by_row", sizes, [*reading.arguments, u])

    def backward(du):
        arguments = [*reading.arguments, xp.ascontiguousarray(du)]
        launch_questions(xp, A.dtype, "read_slots_back", sizes, arguments)
        return reading.gradients()

    return u, reading.kept.ps[0], backward
