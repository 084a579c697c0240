"""What the CUDA kernels are made of."""
