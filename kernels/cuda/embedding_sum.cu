#include "parts/bow_reading.cu"

// One thread per four columns of a reading.
extern "C" __global__ void embedding_sum(const int *words, const real *table, const real *encoding,
                                         real *readings, int N, int S, int E) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < N * ((E + 3) / 4)) bow_reading(i, words, table, encoding, S, E, readings);
}
