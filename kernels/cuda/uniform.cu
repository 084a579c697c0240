#include "parts/philox.cu"

// One thread per Philox block of four numbers.
extern "C" __global__ void uniform(real *u, int count, unsigned purpose, unsigned key_low,
                                   unsigned key_high, const long long *step) {
  int block = blockIdx.x * blockDim.x + threadIdx.x;
  if (block > (count - 1) / 4) return;
  RandomWords words = philox(block, purpose, *step, key_low, key_high);
  for (int n = 0; n < 4; n++)
    if (4 * block + n < count) u[4 * block + n] = unit_interval(words.w[n]);
}
