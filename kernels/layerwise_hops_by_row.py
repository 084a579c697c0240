"""MemN2N's hops with layer-wise tying, one question at a time."""

from kvnet.kernels.parts.slot_hops import hop_over_slots


def layerwise_hops_by_row(
    xp, u, key_readings, value_readings, matrix, rows, hops, with_softmax=True
):
    """Fused form of `kvnet.operations.layerwise_hops_by_row`; see `kvnet.kernels.parts.slot_hops`.

    Parameters, returns and references: see `kvnet.operations.layerwise_hops_by_row`.
    """
    u, attention, backward_hops = hop_over_slots(
        u, [key_readings, value_readings], rows, [0] * hops, [1] * hops, matrix, with_softmax
    )

    def backward(du):
        du, d_readings, d_matrix = backward_hops(du)
        return du, *d_readings, d_matrix

    return u, attention, backward
