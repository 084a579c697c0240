"""An embedding table as the operations read it: the nil word's row is zero."""


def without_nil(table):
    """Return a copy of an embedding table with row 0, the nil word's, set to zero.

    Parameters
    ----------
    table : (V, E) float array

    Returns
    -------
    table : (V, E) float array
    """
    table = table.copy()
    table[0] = 0
    return table
