"""Fused forms of operations and updates in CUDA C, and computations of several operations.

The CUDA kernels of ``NAME.py`` are in ``NAME.cu``; helpers of both kinds are in ``parts/``. All
sources are compiled at their first use by the array module's ``RawModule``.
"""
