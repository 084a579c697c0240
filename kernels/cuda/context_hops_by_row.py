"""The language model's hops, one thread block per target."""

from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.launch import as_int32
from kvnet.kernels.cuda.parts.products import products
from kvnet.kernels.cuda.parts.slot_hops import SlotMemory, question_fits_block, slot_hops
from kvnet.operations import ContextMemory
from kvnet.operations import context_hops_by_row as textbook


def context_hops_by_row(xp, u, memory, matrix, hops, linear_size):
    """CUDA form of `kvnet.operations.context_hops_by_row`.

    The textbook, if a target is too wide for a block.

    Parameters, returns and references: see there.
    """
    (U, E), M = memory.key_readings.shape, len(memory.TK)
    if not question_fits_block(M, E, u.dtype):
        return textbook(xp, u, memory, matrix, hops, linear_size)
    rows = as_int32(xp, memory.rows)
    slots = SlotMemory(
        keys=memory.key_readings,
        values=memory.value_readings,
        table_stride=0,
        rows=rows[:, :, None],
        has_nil=False,
        encodings=(memory.TK, memory.TV),
        matrix=matrix,
        linear_size=linear_size,
    )
    us, attention, backward_hops = slot_hops(xp, u, slots, hops)

    def backward(du):
        d_us, d_scores = backward_hops(du)
        before, d_sums = us[:hops], d_us[1:]
        d_keys = gather_slots(xp, U, [(rows, d_scores, before)])
        d_values = gather_slots(xp, U, [(rows, attention, d_sums)])
        factors = (d_scores, before), (attention, d_sums), (before, d_sums)
        factors = [tuple(a.reshape(-1, a.shape[2]) for a in pair) for pair in factors]
        dTK, dTV, d_matrix = products(xp, factors)
        return d_us[0], ContextMemory(d_keys, d_values, dTK, dTV), d_matrix

    return us[hops], attention, backward
