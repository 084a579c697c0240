"""The hops over a large memory: products by the library, and a kernel or two per hop between them.

There are two methods. If the questions of a batch share their sentences, all sentences are in the
products: with U sentences in B questions of M slots a hop computes the scores by a product
``(B, D) (D, U + M)`` and the weighted sums by ``(B, U + M) (U + M, D)``; the backward pass and the
gradients of the tables have two such products each: 12 B (U + M) D operations per hop. If most
slots have a sentence of their own, only the temporal encodings are in products, and a kernel loads
the sentence of each slot once per hop and once in its backward pass: 2 B M D elements.
"""

import numpy

from kvnet.kernels.cuda.parts.cached_per_array import cached_per_array
from kvnet.kernels.cuda.parts.concatenate import concatenate
from kvnet.kernels.cuda.parts.constants import PARTIAL_SUMS, THREADS, WARP
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.key_value_hops import HopSizes, slot_arguments
from kvnet.kernels.cuda.parts.launch import fits_shared_memory, launch
from kvnet.kernels.cuda.parts.products import products
from kvnet.operations import Memory

SENTENCES_PER_SLOT = 8  # up to which products take less time than loading every slot
LARGE_MEMORY = 1 << 23  # components of all slots from which the library's products are efficient
WARPS = THREADS // WARP
WIDEST_BY_SLOT = 256  # components that the lanes of a warp hold


def large_memory_hops(xp, query, memory: Memory, A, R, method):
    """Hop over a large memory.

    Parameters
    ----------
    xp, query, memory, A, R
        As for `kvnet.operations.key_value_hops_by_row`.
    method : type
        `BySentence` or `BySlot`.

    Returns
    -------
    u, attention, backward
        As for `kvnet.operations.key_value_hops_by_row`.
    """
    (B, D), F, H, dtype = query.shape, len(A), len(R), A.dtype
    slots, shared_size = method(xp, memory, H), 2 * (D + F) + PARTIAL_SUMS

    def empty(*shape):
        return xp.empty(shape, dtype)

    # A's gradient is one sum of outer products, so its factors are stored one under the other: ds,
    # u and du_0; what was read, dw and the query.
    into_A, out_of_A = empty(2 * H + 1, B, F), empty(2 * H + 1, B, D)
    dss, us, reads, dws = into_A[:H], into_A[H:], out_of_A[:H], out_of_A[H:]
    dws[H] = query
    ws, ss, last = empty(H + 1, B, D), empty(H, B, F), empty(B, F)
    A, R = xp.ascontiguousarray(A), xp.ascontiguousarray(R)
    sizes = {"D": D, "F": F, "A": A}
    xp.dot(query, A.T, out=us[0])
    xp.dot(us[0], A, out=ws[0])  # A is applied to the query, since u · k Aᵀ = (u A) · k
    for h in range(H):
        slots.hop(h, ws[h], reads[h])
        arrays = {"us": us[h], "reads": reads[h], "R": R[h], "ss": ss[h], "next_ws": ws[h + 1]}
        arrays["next_us"] = us[h + 1] if h + 1 < H else last
        launch(xp, dtype, "between_hops", B, shared_size=shared_size, **sizes, **arrays)

    def backward(du):
        dus, d_reads = empty(H, B, F), empty(H, B, D)
        dus[H - 1] = du
        xp.dot(dus[H - 1], R[H - 1], out=dss[H - 1])
        xp.dot(dss[H - 1], A, out=d_reads[H - 1])
        for h in range(H - 1, -1, -1):
            slots.hop_backward(h, d_reads[h], reads[h], dws[h])
            if h:
                arrays = {"dss": dss[h], "dws": dws[h], "R": R[h - 1]}
                arrays |= {"previous_dus": dus[h - 1], "previous_dss": dss[h - 1]}
                arrays["previous_d_reads"] = d_reads[h - 1]
                name = "between_hops_backward"
                launch(xp, dtype, name, B, shared_size=shared_size, **sizes, **arrays)
        du_0 = us[H]  # stored after the u of the hops
        xp.dot(dws[0], A.T, out=du_0)
        du_0 += dss[0]
        dA, dR = products(xp, [(_as_rows(into_A), _as_rows(out_of_A)), (dus, ss)])
        return xp.dot(du_0, A), slots.gradients(ws[:H], d_reads), dA, dR

    return last, slots.attention, backward


def _as_rows(array):
    return array.reshape(-1, array.shape[-1])


class BySentence:
    """Sentences and temporal encodings are one table; a kernel turns scores by sentence to weights.

    Parameters
    ----------
    xp : module
        Array module.
    memory : Memory
    hops : int

    Attributes
    ----------
    attention : (H, B, M) float array
    """

    def __init__(self, xp, memory: Memory, hops: int):
        self.xp, self.sentences, self.dtype = xp, len(memory.readings), memory.readings.dtype
        self.key_table, self.value_table = (
            concatenate(xp, [memory.readings, T]).reshape(-1, T.shape[1])
            for T in (memory.TK, memory.TV)
        )
        (self.B, self.M), U = memory.key_rows.shape, self.sentences
        self.slots = slot_arguments(xp, memory)
        self.key_chains = _chains(xp, self.slots["key_rows"])
        self.value_chains = _chains(xp, self.slots["value_rows"])
        self.weights, self.d_scores = (
            xp.empty((hops, self.B, U + self.M), self.dtype) for _ in range(2)
        )
        self.attention = self.weights[:, :, U:]

    @staticmethod
    def is_faster(sizes: HopSizes, sentences: int, dtype) -> bool:
        """Return whether this is the fastest method, and a block holds the slots of a question."""
        B, M, D, _, _ = sizes
        is_shared = sentences <= SENTENCES_PER_SLOT * M
        return is_shared and B * M * D >= LARGE_MEMORY and fits_shared_memory(2 * M, dtype)

    def hop(self, h: int, w, read) -> None:
        """Compute the weighted sums of the values, into `read` (B, D), for the queries w (B, D)."""
        arguments = {"scores": self.xp.dot(w, self.key_table.T), "weights": self.weights[h]}
        arguments |= self.slots | {"value_chains": self.value_chains}
        self._launch("softmax_by_sentence", **arguments)
        self.xp.dot(self.weights[h], self.value_table, out=read)

    def hop_backward(self, h: int, d_read, read, dw) -> None:
        """Compute the gradient of w, into `dw`, given that of what was read."""
        arguments = {name: self.slots[name] for name in ("key_rows", "value_rows")}
        arguments |= {"d_weights": self.xp.dot(d_read, self.value_table.T)}
        arguments |= {"weights": self.weights[h], "d_scores": self.d_scores[h]}
        self._launch("softmax_by_sentence_backward", **arguments, key_chains=self.key_chains)
        self.xp.dot(self.d_scores[h], self.key_table, out=dw)

    def _launch(self, name, **arguments):
        arguments |= {"M": self.M, "sentences": self.sentences}
        launch(self.xp, self.dtype, name, self.B, shared_size=self.M, **arguments)

    def gradients(self, ws, d_reads) -> Memory:
        """Return the gradient of the memory, given the vectors of all hops, (H, B, D) each."""
        factors = [(self.d_scores, ws), (self.weights, d_reads)]
        dK, dV = products(self.xp, [tuple(map(_as_rows, pair)) for pair in factors])
        U = self.sentences
        return Memory(dK[:U] + dV[:U], dK[U:], dV[U:])


class BySlot:
    """A kernel loads the sentence of every slot; the encodings' contributions are products.

    Parameters, attributes and methods: as of `BySentence`.
    """

    def __init__(self, xp, memory: Memory, hops: int):
        readings = xp.ascontiguousarray(memory.readings)
        self.xp, self.TK, self.TV, self.dtype = xp, memory.TK, memory.TV, readings.dtype
        (self.B, self.M), self.D = memory.key_rows.shape, readings.shape[1]
        self.attention, self.d_scores = (
            xp.empty((hops, self.B, self.M), self.dtype) for _ in range(2)
        )
        self.slots = slot_arguments(xp, memory) | {"readings": readings}

    @staticmethod
    def is_faster(sizes: HopSizes, sentences: int, dtype) -> bool:
        """Return whether this is faster than one block per question, and a block can do it."""
        B, M, D, _, _ = sizes
        fits = D <= WIDEST_BY_SLOT and fits_shared_memory(M + WARPS * D, dtype)
        return fits and B * M * D >= LARGE_MEMORY

    def hop(self, h: int, w, read) -> None:
        """See `BySentence.hop`."""
        p, of_sentences = self.attention[h], self.xp.empty_like(read)
        self.xp.dot(w, self.TK.T, out=p)
        self._launch("by_slot", ws=w, ps=p, reads=of_sentences)
        self.xp.dot(p, self.TV, out=read)
        read += of_sentences

    def hop_backward(self, h: int, d_read, read, dw) -> None:
        """See `BySentence.hop_backward`."""
        d_scores, of_sentences = self.d_scores[h], self.xp.empty_like(dw)
        self.xp.dot(d_read, self.TV.T, out=d_scores)
        arrays = {"d_reads": d_read, "reads": read, "ps": self.attention[h]}
        self._launch("by_slot_backward", **arrays, d_scores=d_scores, dws=of_sentences)
        self.xp.dot(d_scores, self.TK, out=dw)
        dw += of_sentences

    def _launch(self, name, **arguments):
        arguments |= self.slots | {"M": self.M, "D": self.D}
        shared_size = self.M + WARPS * self.D
        launch(self.xp, self.dtype, name, self.B, shared_size=shared_size, **arguments)

    def gradients(self, ws, d_reads) -> Memory:
        """See `BySentence.gradients`."""
        keys, values, readings = (self.slots[n] for n in ("key_rows", "value_rows", "readings"))
        sides = [(keys, self.d_scores, ws), (values, self.attention, d_reads)]
        factors = [tuple(map(_as_rows, side[1:])) for side in sides]
        d_readings = gather_slots(self.xp, len(readings), sides)
        return Memory(d_readings, *products(self.xp, factors))


@cached_per_array
def _chains(xp, rows) -> numpy.ndarray:
    """Link the slots that hold the same sentence; see the kernel."""
    B, M = rows.shape
    chains = xp.empty((B, M), "int32")
    launch(xp, "float32", "chain_slots", B, shared_size=2 * M, rows=rows, M=M, chains=chains)
    return chains


def choose_method(sizes: HopSizes, sentences: int, dtype) -> type | None:
    """Return `BySentence` or `BySlot`, or None if one block per question is faster."""
    if not fits_shared_memory(2 * (sizes.D + sizes.F) + PARTIAL_SUMS, dtype):
        return None
    methods = (m for m in (BySentence, BySlot) if m.is_faster(sizes, sentences, dtype))
    return next(methods, None)
