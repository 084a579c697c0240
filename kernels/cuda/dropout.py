"""Dropout in one launch each way."""

from kvnet.kernels.cuda.parts.compilation import blocks, launch


def dropout(xp, x, uniforms, keep_prob):
    """Do what `kvnet.operations.dropout` does; a uniform number is for one of x's, or for a row.

    Parameters, returns and source: see `kvnet.operations.dropout`.
    """
    each = x.size // uniforms.size  # numbers that share one

    def dropped(values):
        values = xp.ascontiguousarray(values)
        kept = xp.empty_like(values)
        arguments = values, uniforms, x.size, each, float(keep_prob), kept
        launch(xp, x.dtype, "drop", blocks(x.size), arguments)
        return kept

    return dropped(x), dropped
