"""Helpers of the CUDA kernels."""
