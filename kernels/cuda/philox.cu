// Philox4x32-10 and what `kvnet.counter_random` makes of its words.
struct Words {
  unsigned w[4];
};

__device__ Words philox(unsigned block, unsigned purpose, long long step, unsigned key_low,
                        unsigned key_high) {
  unsigned c0 = block, c1 = purpose, c2 = (unsigned)step;
  unsigned c3 = (unsigned)((unsigned long long)step >> 32), k0 = key_low, k1 = key_high;
  for (int round = 0; round < 10; round++) {
    unsigned a = __umulhi(c0, 0xD2511F53u), a_low = c0 * 0xD2511F53u;
    unsigned b = __umulhi(c2, 0xCD9E8D57u), b_low = c2 * 0xCD9E8D57u;
    c0 = b ^ c1 ^ k0, c1 = b_low, c2 = a ^ c3 ^ k1, c3 = a_low;
    k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// Between 0 and 1, never either; exact in both precisions.
__device__ real unit_interval(unsigned word) {
  return ((real)(int)(word >> 9) + (real)0.5) * (real)(1.0 / 8388608);
}

extern "C" __global__ void fill_uniform(real *u, int count, unsigned purpose, unsigned key_low,
                                        unsigned key_high, const long long *step) {
  int block = blockIdx.x * blockDim.x + threadIdx.x;
  if (block > (count - 1) / 4) return;
  Words words = philox(block, purpose, *step, key_low, key_high);
  for (int n = 0; n < 4; n++)
    if (4 * block + n < count) u[4 * block + n] = unit_interval(words.w[n]);
}
