"""MemN2N's hops with layer-wise tying, one thread block per question."""

from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.launch import as_int32
from kvnet.kernels.cuda.parts.products import products
from kvnet.kernels.cuda.parts.slot_hops import SlotMemory, question_fits_block, slot_hops
from kvnet.operations import layerwise_hops_by_row as textbook


def layerwise_hops_by_row(
    xp, u, key_readings, value_readings, matrix, rows, hops, with_softmax: bool = True
):
    """CUDA form of `kvnet.operations.layerwise_hops_by_row`.

    The textbook, if a question is too wide for a block.

    Parameters, returns and references: see there.
    """
    U, E = key_readings.shape
    if not question_fits_block(rows.shape[1], E, u.dtype):
        return textbook(xp, u, key_readings, value_readings, matrix, rows, hops, with_softmax)
    rows = as_int32(xp, rows)
    memory = SlotMemory(
        keys=key_readings,
        values=value_readings,
        table_stride=0,
        rows=rows,
        has_nil=True,
        encodings=(),
        matrix=matrix,
        linear_size=E,
    )
    us, attention, backward_hops = slot_hops(xp, u, memory, hops, with_softmax)

    def backward(du):
        d_us, d_scores = backward_hops(du)
        before, d_sums = us[:hops], d_us[1:]
        d_keys = gather_slots(xp, U, [(rows, d_scores, before)], first_row=1)
        d_values = gather_slots(xp, U, [(rows, attention, d_sums)], first_row=1)
        (d_matrix,) = products(xp, [(before.reshape(-1, E), d_sums.reshape(-1, E))])
        return d_us[0], d_keys, d_values, d_matrix

    return us[hops], attention, backward
