// Gradient descent with a bounded spectral norm of each matrix's gradient. A row of `tables` has
// the first element of a matrix, its rows and columns, and the range of its chunks, which are those
// of parts/update.cu.
#include "parts/sums.cu"

// The factor min(1, max_norm / largest) of each matrix, one block per matrix; it is 1 if already
// the Frobenius norm is small enough. Otherwise G'G = S is squared repeatedly, each time divided by
// its trace t_k. Since largest^2 = lim trace(S^n)^(1/n), log largest^2 = log t_0 + log(t_1) / 2 +
// log(t_2) / 4 + ...
extern "C" __global__ void spectral_scales(const real *gradient, const int *tables,
                                           const real *squares, real max_norm, int squarings,
                                           int widest, real *scratch, real *scales) {
  const int *table = tables + 5 * blockIdx.x;
  int rows = table[1], E = table[2];
  gradient += table[0];
  real sum = 0;
  for (int k = table[3] + threadIdx.x; k < table[4]; k += blockDim.x) sum += squares[k];
  real trace = block_sum(sum), weight = 1;
  if (trace <= max_norm * max_norm) {  // the same for all threads of the block
    if (threadIdx.x == 0) scales[blockIdx.x] = 1;
    return;
  }
  real *power = scratch + (size_t)2 * blockIdx.x * widest * widest, *next = power + widest * widest;
  for (int i = threadIdx.x; i < E * E; i += blockDim.x)
    power[i] =
        strided_sum(0, rows, 1,
                    [=](int n) { return gradient[n * E + i / E] * gradient[n * E + i % E]; }) /
        trace;
  real logarithm = log(trace);
  for (int k = 0; k < squarings; k++) {
    __syncthreads();
    sum = 0;
    for (int i = threadIdx.x; i < E * E; i += blockDim.x) sum += power[i] * power[i];
    trace = block_sum(sum);  // of the square: the matrix is symmetric
    logarithm += (weight /= 2) * log(trace);
    for (int i = threadIdx.x; i < E * E; i += blockDim.x) {
      const real *row = power + i / E * E, *column = power + i % E * E;
      next[i] = strided_sum(0, E, 1, [=](int n) { return row[n] * column[n]; }) / trace;
    }
    real *previous = power;
    power = next, next = previous;
  }
  real largest = exp(logarithm / 2);
  if (threadIdx.x == 0) scales[blockIdx.x] = max_norm / max(largest, max_norm);
}

// theta -= rate scale g, one block per chunk; `owners` has the matrix of each chunk.
extern "C" __global__ void descend_scaled(real *theta, const real *gradient, const int *chunks,
                                          const int *owners, const real *scales, real rate) {
  const int *chunk = chunks + 4 * blockIdx.x;
  real scale = scales[owners[blockIdx.x]];
  for (int i = chunk[0] + threadIdx.x; i < chunk[1]; i += blockDim.x)
    theta[i] -= rate * (scale * gradient[i]);
}
