// y = x / keep_prob where u < keep_prob, else 0; `each` numbers share a u.
extern "C" __global__ void drop(const real *x, const real *u, int count, int each, real keep_prob,
                                real *y) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) y[i] = x[i] * (u[i / each] < keep_prob ? 1 / keep_prob : (real)0);
}
