"""What the fused kernels on NumPy are made of."""
