"""MemN2N's hops with layer-wise tying, a question a block of threads."""

from kvnet.kernels.cuda.parts.compilation import numbers
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.products import products
from kvnet.kernels.cuda.parts.slot_hops import SlotMemory, fits, slot_hops
from kvnet.operations import layerwise_hops_by_row as textbook_layerwise_slots


def layerwise_hops_by_row(
    xp, u, key_readings, value_readings, matrix, rows, hops, with_softmax: bool = True
):
    """Do what `kvnet.operations.layerwise_hops_by_row` does; the textbook itself for too wide a memory.

    Parameters, returns and source: see `kvnet.operations.layerwise_hops_by_row`.
    """
    U, E = key_readings.shape
    if not fits(rows.shape[1], E, u.dtype):
        inputs = u, key_readings, value_readings, matrix, rows, hops, with_softmax
        return textbook_layerwise_slots(xp, *inputs)
    rows = numbers(xp, rows)
    memory = SlotMemory(
        keys=key_readings,
        values=value_readings,
        from_hop_to_hop=0,
        rows=rows,
        with_nil=True,
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
