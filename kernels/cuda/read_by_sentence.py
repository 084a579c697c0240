"""The memory read by dense products, for batches whose questions share their sentences.

With U sentences in B questions of M slots, a hop scores by a product ``(B, D) (D, U + M)`` and
reads by one ``(B, U + M) (U + M, D)``; so does its way back, and so are the tables' gradients made:
12 B (U + M) D operations a hop. Slot by slot the same fetches 4 B M D numbers from the caches, and
half as many again for the gradients.
"""

from kvnet.kernels.cuda.as_vector import as_vector
from kvnet.kernels.cuda.compilation import SHARED_BYTES, THREADS, launch, numbers
from kvnet.kernels.cuda.once import once_an_array
from kvnet.kernels.cuda.products import products

SENTENCES_A_SLOT = 8  # up to which products take less time than fetching every slot
LARGE = 1 << 23  # numbers in all slots from which the library's products are efficient


def shares_sentences(B: int, M: int, D: int, F: int, sentences: int, dtype) -> bool:
    """Return whether a memory is read faster by sentence, and a question's vectors fit a block."""
    fits = max(2 * M, _shared_between_hops(D, F)) * dtype.itemsize <= SHARED_BYTES
    return fits and sentences <= SENTENCES_A_SLOT * M and B * M * D >= LARGE


def _shared_between_hops(D, F):
    return 2 * D + 2 * F + THREADS


@once_an_array
def _chains(xp, rows):
    """Return for every slot the next one that holds the same sentence; see the kernel."""
    B, M = rows.shape
    chains = xp.empty((B, M), "int32")
    launch(xp, "float32", "chain_slots", B, (rows, M, chains), 2 * M)
    return chains


class Side:
    """The keys, or the values: sentences and temporal encodings in one table.

    Attributes
    ----------
    table : (U + M, D) float array
    sentences : int
        U.
    rows, chains : (B, M) int32 array
    """

    def __init__(self, xp, readings, temporal, rows):
        self.sentences, self.rows = len(readings), numbers(xp, rows)
        together = as_vector(xp, {"sentences": readings, "temporal": temporal})
        self.table = together.reshape(-1, readings.shape[1])
        self.chains = _chains(xp, self.rows)

    def parts(self, d_table):
        """Return the gradient of the readings, and of the temporal encodings."""
        return d_table[: self.sentences], d_table[self.sentences :]


def read_by_sentence(
    xp, query, key_readings, value_readings, TK, TV, A, hop_matrices, key_rows, value_rows, allowed
):
    """Do what `kvnet.operations.read_slots` does.

    Parameters, returns and source: see `kvnet.operations.read_slots`.
    """
    (B, D), M, F, H, dtype = query.shape, len(TK), len(A), len(hop_matrices), A.dtype
    keys, values = Side(xp, key_readings, TK, key_rows), Side(xp, value_readings, TV, value_rows)
    mask = keys.rows if allowed is None else numbers(xp, allowed)
    shared = _shared_between_hops(D, F)

    def empty(*shape):
        return xp.empty(shape, dtype)

    # A's gradient is one sum of outer products, so its factors stand one under the other: ds, u
    # and du_0; what was read, dw and the query.
    into_A, out_of_A = empty(2 * H + 1, B, F), empty(2 * H + 1, B, D)
    dss, us, reads, dws = into_A[:H], into_A[H:], out_of_A[:H], out_of_A[H:]
    dws[H] = query
    ws, ss, last = empty(H + 1, B, D), empty(H, B, F), empty(B, F)
    weights = empty(H, B, len(values.table))
    A, R = xp.ascontiguousarray(A), [xp.ascontiguousarray(matrix) for matrix in hop_matrices]
    xp.dot(query, A.T, out=us[0])
    xp.dot(us[0], A, out=ws[0])  # A stands on the query's side: u · k Aᵀ = (u A) · k
    for h in range(H):
        scores = xp.dot(ws[h], keys.table.T)  # (B, U + M)
        given = M, scores, keys.sentences, keys.rows, mask, int(allowed is not None)
        wanted = values.sentences, values.rows, values.chains, weights[h]
        launch(xp, dtype, "softmax_by_sentence", B, (*given, *wanted), M)
        xp.dot(weights[h], values.table, out=reads[h])
        after = ss[h], us[h + 1] if h + 1 < H else last, ws[h + 1]
        launch(xp, dtype, "between_hops", B, (D, F, us[h], reads[h], A, R[h], *after), shared)

    def backward(du):
        dus, d_reads, d_scores = empty(H, B, F), empty(H, B, D), empty(H, B, len(keys.table))
        dus[H - 1] = du
        xp.dot(dus[H - 1], R[H - 1], out=dss[H - 1])
        xp.dot(dss[H - 1], A, out=d_reads[H - 1])
        for h in range(H - 1, -1, -1):
            d_weights = xp.dot(d_reads[h], values.table.T)
            given = M, d_weights, values.sentences, values.rows, weights[h]
            wanted = keys.sentences, keys.rows, keys.chains, d_scores[h]
            launch(xp, dtype, "softmax_by_sentence_back", B, (*given, *wanted), M)
            xp.dot(d_scores[h], keys.table, out=dws[h])
            if h:
                given = D, F, dss[h], dws[h], A, R[h - 1], dus[h - 1], dss[h - 1], d_reads[h - 1]
                launch(xp, dtype, "between_hops_back", B, given, shared)
        du_0 = us[H]  # it stands behind the hops' u
        xp.dot(dws[0], A.T, out=du_0)
        du_0 += dss[0]
        pairs = [(d_scores, ws[:H]), (weights, d_reads), (into_A, out_of_A)]
        pairs = [tuple(a.reshape(-1, a.shape[2]) for a in pair) for pair in pairs]
        dK, dV, dA, dR = products(xp, [*pairs, (dus, ss)])
        (d_keys, dTK), (d_values, dTV) = keys.parts(dK), values.parts(dV)
        return xp.dot(du_0, A), d_keys, d_values, dTK, dTV, dA, list(dR)

    return last, weights[:, :, values.sentences :], backward
