"""MemN2N's hops with adjacent tying, one question at a time."""

from kvnet.kernels.parts.slot_hops import hop_over_slots


def adjacent_hops_by_row(xp, u, readings, rows, with_softmax=True):
    """Fused form of `kvnet.operations.adjacent_hops_by_row`; see `kvnet.kernels.parts.slot_hops`.

    Parameters, returns and references: see `kvnet.operations.adjacent_hops_by_row`.
    """
    H = len(readings) - 1
    u, attention, backward_hops = hop_over_slots(
        u, readings, rows, range(H), range(1, H + 1), None, with_softmax
    )

    def backward(du):
        du, d_readings, _ = backward_hops(du)
        return du, list(d_readings)

    return u, attention, backward
