// Philox4x32-10, and the uniform numbers that `kvnet.operations.uniform` makes of its words.
#include "parts/common.cu"

struct RandomWords {
  unsigned w[4];
};

__device__ RandomWords philox(unsigned block, unsigned purpose, long long step, unsigned key_low,
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

// Between 0 and 1, both excluded; exact in both precisions.
__device__ real unit_interval(unsigned word) {
  return ((real)(int)(word >> 9) + (real)0.5) * (real)(1.0 / 8388608);
}
