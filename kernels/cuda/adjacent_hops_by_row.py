"""MemN2N's hops with adjacent tying, a question a block of threads."""

from kvnet.kernels.cuda.parts.compilation import numbers
from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.slot_hops import SlotMemory, fits, slot_hops
from kvnet.operations import adjacent_hops_by_row as textbook_adjacent_slots


def adjacent_hops_by_row(xp, u, readings, rows, with_softmax: bool = True):
    """Do what `kvnet.operations.adjacent_hops_by_row` does; the textbook itself for too wide a memory.

    Parameters, returns and source: see `kvnet.operations.adjacent_hops_by_row`.
    """
    (U, E), H = readings[0].shape, len(readings) - 1
    if not fits(rows.shape[1], E, u.dtype):
        return textbook_adjacent_slots(xp, u, readings, rows, with_softmax)
    tables, rows = xp.stack(readings), numbers(xp, rows)
    memory = SlotMemory(
        keys=tables[0],
        values=tables[1],
        from_hop_to_hop=U * E,
        rows=rows,
        with_nil=True,
        encodings=(),
        matrix=None,
        linear_size=E,
    )
    us, attention, backward_hops = slot_hops(xp, u, memory, H, with_softmax)

    def backward(du):
        d_us, d_scores = backward_hops(du)
        as_keys = [(rows, d_scores[h : h + 1], us[h : h + 1]) for h in range(H)]
        as_values = [(rows, attention[h : h + 1], d_us[h + 1 : h + 2]) for h in range(H)]
        uses = [
            [*as_keys[n : n + 1], *(as_values[n - 1 : n] if n else ())] for n in range(H + 1)
        ]  # of each table: the keys of a hop, the values of the hop before
        return d_us[0], [gather_slots(xp, U, sides, first_row=1) for sides in uses]

    return us[H], attention, backward
