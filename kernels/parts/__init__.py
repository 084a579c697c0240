"""Helpers of the fused kernels on NumPy.

Arrays that belong together are named tuples. Loops over single elements read the fields before they
start: Numba counts a reference at every read.
"""
