"""Dropout, in one launch forward and one backward."""

from kvnet.kernels.cuda.parts.launch import blocks_for, launch


def dropout(xp, x, uniforms, keep_prob):
    """CUDA form of `kvnet.operations.dropout`; `uniforms` has x's shape, or one number per row.

    Parameters, returns and references: see there.
    """
    sizes = {"count": x.size, "shared_by": x.size // uniforms.size}

    def drop(values):
        values = xp.ascontiguousarray(values)
        y = xp.empty_like(values)
        arguments = {"x": values, "u": uniforms, "keep_prob": float(keep_prob), "y": y}
        launch(xp, x.dtype, "dropout", blocks_for(x.size), **sizes, **arguments)
        return y

    return drop(x), drop
