#include "parts/bow_reading.cu"

// readings[n, e], one thread per element.
extern "C" __global__ void embedding_sum(const int *words, const real *table, const real *encoding,
                                         real *readings, int N, int S, int E) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, n = i / E;
  if (n < N) readings[i] = bow_reading(words + n * S, table, encoding, S, E, i % E);
}
