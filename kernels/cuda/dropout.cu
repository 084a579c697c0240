#include "parts/common.cu"

// y = x / keep_prob where u < keep_prob, else 0. Each u is shared by `shared_by` elements.
extern "C" __global__ void dropout(const real *x, const real *u, int count, int shared_by,
                                   real keep_prob, real *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = x[i] * (u[i / shared_by] < keep_prob ? 1 / keep_prob : (real)0);
}
