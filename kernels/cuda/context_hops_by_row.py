"""The language model's hops: a target a block, its words gathered where they are read."""

from kvnet.kernels.cuda.parts.compilation import numbers
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.products import products
from kvnet.kernels.cuda.parts.slot_hops import SlotMemory, fits, slot_hops
from kvnet.operations import context_hops_by_row as textbook_context_read


def context_hops_by_row(xp, u, key_readings, value_readings, TK, TV, matrix, rows, hops, linear_size):
    """Do what `kvnet.operations.context_hops_by_row` does; the textbook itself for too wide a memory.

    Parameters, returns and source: see `kvnet.operations.context_hops_by_row`.
    """
    (U, E), M = key_readings.shape, len(TK)
    if not fits(M, E, u.dtype):
        inputs = u, key_readings, value_readings, TK, TV, matrix, rows, hops, linear_size
        return textbook_context_read(xp, *inputs)
    rows = numbers(xp, rows)
    memory = SlotMemory(
        keys=key_readings,
        values=value_readings,
        from_hop_to_hop=0,
        rows=rows[:, :, None],
        with_nil=False,
        encodings=(TK, TV),
        matrix=matrix,
        linear_size=linear_size,
    )
    us, attention, backward_hops = slot_hops(xp, u, memory, hops)

    def backward(du):
        d_us, d_scores = backward_hops(du)
        before, d_sums = us[:hops], d_us[1:]
        d_keys = gather_slots(xp, U, [(rows, d_scores, before)])
        d_values = gather_slots(xp, U, [(rows, attention, d_sums)])
        pairs = (d_scores, before), (attention, d_sums), (before, d_sums)
        pairs = [tuple(a.reshape(-1, a.shape[2]) for a in pair) for pair in pairs]
        return d_us[0], d_keys, d_values, *products(xp, pairs)

    return us[hops], attention, backward
