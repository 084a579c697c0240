// The bow reader.
#include "parts/sums.cu"

// sum_s encoding[s, e] table[words[s], e] without the nil word.
__device__ real bow_reading(const int *words, const real *table, const real *encoding, int S, int E,
                            int e) {
  return strided_sum(0, S, 1, [=](int s) {
    int word = words[s];
    real component = table[word * E + e];
    return word ? encoding[s * E + e] * component : (real)0;
  });
}
