"""MemN2N's hops with adjacent tying, one thread block per question."""

from kvnet.kernels.cuda.parts.gather import gather_slots
from kvnet.kernels.cuda.parts.launch import as_int32
from kvnet.kernels.cuda.parts.slot_hops import SlotMemory, question_fits_block, slot_hops
from kvnet.operations import adjacent_hops_by_row as textbook


def adjacent_hops_by_row(xp, u, readings, rows, with_softmax: bool = True):
    """CUDA form of `kvnet.operations.adjacent_hops_by_row`.

    The textbook, if a question is too wide for a block.

    Parameters, returns and references: see there.
    """
    (U, E), H = readings[0].shape, len(readings) - 1
    if not question_fits_block(rows.shape[1], E, u.dtype):
        return textbook(xp, u, readings, rows, with_softmax)
    tables, rows = xp.stack(readings), as_int32(xp, rows)
    memory = SlotMemory(
        keys=tables[0],
        values=tables[1],
        table_stride=U * E,
        rows=rows,
        has_nil=True,
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
        ]  # of each table: as keys of a hop, as values of the hop before
        return d_us[0], [gather_slots(xp, U, sides, first_row=1) for sides in uses]

    return us[H], attention, backward
