"""The read of a large memory: products by the library, and between them a kernel or two a hop.

There are two ways to a slot's sentence. Where the questions of a batch share their sentences, all
of them go into the products: with U sentences in B questions of M slots a hop scores by a product
``(B, D) (D, U + M)`` and reads by one ``(B, U + M) (U + M, D)``, and so do its way back and the
tables' gradients: 12 B (U + M) D operations a hop. Where most slots have a sentence of their own,
temporal encodings alone are products, and a kernel fetches each slot's sentence once a hop and once
on its way back: 2 B M D numbers.
"""

from kvnet.kernels.cuda.as_vector import as_vector
from kvnet.kernels.cuda.parts.compilation import SHARED_BYTES, THREADS, launch, numbers
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.cached_per_array import once_an_array
from kvnet.kernels.cuda.parts.products import products

SENTENCES_A_SLOT = 8  # up to which products take less time than fetching every slot
LARGE = 1 << 23  # numbers in all slots from which the library's products are efficient
WARPS = THREADS // 32
WIDEST_BY_SLOT = 256  # components that the lanes of a warp hold


def read_large_memory(
    xp, query, readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed, way
):
    """Do what `kvnet.operations.key_value_hops_by_row` does.

    Parameters, returns and source: see `kvnet.operations.key_value_hops_by_row`; way is `BySentence` or
    `BySlot`.
    """
    (B, D), F, H, dtype = query.shape, len(A), len(hop_matrices), A.dtype
    memory, shared = way(xp, readings, TK, TV, key_rows, value_rows, allowed, H), 2 * (D + F)

    def empty(*shape):
        return xp.empty(shape, dtype)

    # A's gradient is one sum of outer products, so its factors stand one under the other: ds, u
    # and du_0; what was read, dw and the query.
    into_A, out_of_A = empty(2 * H + 1, B, F), empty(2 * H + 1, B, D)
    dss, us, reads, dws = into_A[:H], into_A[H:], out_of_A[:H], out_of_A[H:]
    dws[H] = query
    ws, ss, last = empty(H + 1, B, D), empty(H, B, F), empty(B, F)
    A, R = xp.ascontiguousarray(A), [xp.ascontiguousarray(matrix) for matrix in hop_matrices]
    xp.dot(query, A.T, out=us[0])
    xp.dot(us[0], A, out=ws[0])  # A stands on the query's side: u · k Aᵀ = (u A) · k
    for h in range(H):
        memory.hop(h, ws[h], reads[h])
        after = ss[h], us[h + 1] if h + 1 < H else last, ws[h + 1]
        given = D, F, us[h], reads[h], A, R[h]
        launch(xp, dtype, "between_hops", B, (*given, *after), shared + THREADS)

    def backward(du):
        dus, d_reads = empty(H, B, F), empty(H, B, D)
        dus[H - 1] = du
        xp.dot(dus[H - 1], R[H - 1], out=dss[H - 1])
        xp.dot(dss[H - 1], A, out=d_reads[H - 1])
        for h in range(H - 1, -1, -1):
            memory.hop_back(h, d_reads[h], reads[h], dws[h])
            if h:
                given = D, F, dss[h], dws[h], A, R[h - 1]
                before = dus[h - 1], dss[h - 1], d_reads[h - 1]
                launch(xp, dtype, "between_hops_back", B, (*given, *before), shared + THREADS)
        du_0 = us[H]  # it stands behind the hops' u
        xp.dot(dws[0], A.T, out=du_0)
        du_0 += dss[0]
        dA, dR = products(xp, [(_in_rows(into_A), _in_rows(out_of_A)), (dus, ss)])
        return xp.dot(du_0, A), *memory.gradients(ws[:H], d_reads), dA, list(dR)

    return last, memory.attention, backward


def _in_rows(array):
    return array.reshape(-1, array.shape[-1])


class BySentence:
    """Sentences and temporal encodings in one table; a kernel takes scores by sentence to weights.

    Parameters
    ----------
    xp, readings, TK, TV, key_rows, value_rows, allowed
        As for `kvnet.operations.key_value_hops_by_row`.
    hops : int

    Attributes
    ----------
    attention : (H, B, M) float array
    """

    def __init__(self, xp, readings, TK, TV, key_rows, value_rows, allowed, hops: int):
        self.xp, self.sentences, self.dtype = xp, len(readings), readings.dtype
        self.key_table, self.value_table = (
            as_vector(xp, {"sentences": readings, "encodings": T}).reshape(-1, T.shape[1])
            for T in (TK, TV)
        )
        (self.B, self.M), U = key_rows.shape, self.sentences
        self.keys, self.values, self.mask = rows_and_mask(xp, key_rows, value_rows, allowed)
        self.key_chains, self.value_chains = _chains(xp, self.keys), _chains(xp, self.values)
        self.weights, self.d_scores = (
            xp.empty((hops, self.B, U + self.M), self.dtype) for _ in range(2)
        )
        self.attention = self.weights[:, :, U:]

    @staticmethod
    def pays(B: int, M: int, D: int, sentences: int, dtype) -> bool:
        """Return whether this way is the fastest, and a question's slots fit a block."""
        fits = 2 * M * dtype.itemsize <= SHARED_BYTES
        return fits and sentences <= SENTENCES_A_SLOT * M and B * M * D >= LARGE

    def hop(self, h: int, w, read) -> None:
        """Read with the asking vectors w, (B, D), to ``read``, (B, D)."""
        scores = self.xp.dot(w, self.key_table.T)  # (B, U + M)
        given = self.M, scores, self.sentences, self.keys, *self.mask
        wanted = self.sentences, self.values, self.value_chains, self.weights[h]
        self._launch("softmax_by_sentence", *given, *wanted)
        self.xp.dot(self.weights[h], self.value_table, out=read)

    def hop_back(self, h: int, d_read, read, dw) -> None:
        """Go back from the gradient of what was read to that of w, put into ``dw``."""
        d_weights = self.xp.dot(d_read, self.value_table.T)
        given = self.M, d_weights, self.sentences, self.values, self.weights[h]
        wanted = self.sentences, self.keys, self.key_chains, self.d_scores[h]
        self._launch("softmax_by_sentence_back", *given, *wanted)
        self.xp.dot(self.d_scores[h], self.key_table, out=dw)

    def _launch(self, name, *arguments):
        launch(self.xp, self.dtype, name, self.B, arguments, self.M)

    def gradients(self, ws, d_reads) -> tuple:
        """Return ``d_readings, dTK, dTV``, given all hops' vectors, (H, B, D) each."""
        pairs = [(self.d_scores, ws), (self.weights, d_reads)]
        dK, dV = products(self.xp, [tuple(map(_in_rows, pair)) for pair in pairs])
        U = self.sentences
        return dK[:U] + dV[:U], dK[U:], dV[U:]


class BySlot:
    """Every slot's sentence fetched by a kernel, the encodings' share by products.

    Parameters, attributes and methods: as those of `BySentence`.
    """

    def __init__(self, xp, readings, TK, TV, key_rows, value_rows, allowed, hops: int):
        self.xp, self.readings, self.dtype = xp, xp.ascontiguousarray(readings), readings.dtype
        self.TK, self.TV = TK, TV
        self.B, self.M = key_rows.shape
        self.keys, self.values, mask = rows_and_mask(xp, key_rows, value_rows, allowed)
        self.attention, self.d_scores = (
            xp.empty((hops, self.B, self.M), self.dtype) for _ in range(2)
        )
        self.memory = self.M, readings.shape[1], self.readings, self.keys, self.values, *mask

    @staticmethod
    def pays(B: int, M: int, D: int, sentences: int, dtype) -> bool:
        """Return whether this way is faster than a question's hops in one block, and fits."""
        fits = (M + WARPS * D) * dtype.itemsize <= SHARED_BYTES
        return fits and D <= WIDEST_BY_SLOT and B * M * D >= LARGE

    def hop(self, h: int, w, read) -> None:
        """See `BySentence.hop`."""
        p, of_sentences = self.attention[h], self.xp.empty_like(read)
        self.xp.dot(w, self.TK.T, out=p)
        self._launch("by_slot", w, p, of_sentences)
        self.xp.dot(p, self.TV, out=read)
        read += of_sentences

    def hop_back(self, h: int, d_read, read, dw) -> None:
        """See `BySentence.hop_back`."""
        d_scores, of_sentences = self.d_scores[h], self.xp.empty_like(dw)
        self.xp.dot(d_read, self.TV.T, out=d_scores)
        self._launch("by_slot_back", d_read, read, self.attention[h], d_scores, of_sentences)
        self.xp.dot(d_scores, self.TK, out=dw)
        dw += of_sentences

    def _launch(self, name, *arguments):
        (M, D), dtype = self.memory[:2], self.dtype
        launch(self.xp, dtype, name, self.B, (*self.memory, *arguments), M + WARPS * D)

    def gradients(self, ws, d_reads) -> tuple:
        """See `BySentence.gradients`."""
        sides = [(self.keys, self.d_scores, ws), (self.values, self.attention, d_reads)]
        pairs = [tuple(map(_in_rows, side[1:])) for side in sides]
        return gather_slots(self.xp, len(self.readings), sides), *products(self.xp, pairs)


def rows_and_mask(xp, key_rows, value_rows, allowed):
    """Return both sides' rows, one array where they are, and what kernels take as the mask."""
    keys = numbers(xp, key_rows)
    values = keys if value_rows is key_rows else numbers(xp, value_rows)
    mask = keys if allowed is None else numbers(xp, allowed)
    return keys, values, (mask, int(allowed is not None))


@once_an_array
def _chains(xp, rows):
    """Return for every slot the next one that holds the same sentence; see the kernel."""
    B, M = rows.shape
    chains = xp.empty((B, M), "int32")
    launch(xp, "float32", "chain_slots", B, (rows, M, chains), 2 * M)
    return chains


def way_to(B: int, M: int, D: int, F: int, sentences: int, dtype):
    """Return `BySentence` or `BySlot`, or None where a block should take a question's hops."""
    if (2 * (D + F) + THREADS) * dtype.itemsize > SHARED_BYTES:
        return None
    ways = (way for way in (BySentence, BySlot) if way.pays(B, M, D, sentences, dtype))
    return next(ways, None)
