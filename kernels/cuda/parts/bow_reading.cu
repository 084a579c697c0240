// The bow reader.
#include "parts/sums.cu"

// Columns e to e + 3 of sum_s encoding[s, e] table[words[s], e] without the nil word.
template <bool ALIGNED>
__device__ Four sum_of_words(const int *words, const real *table, const real *encoding, int S,
                             int E, int e) {
  return strided_sum(0, S, 1, [=](int s) {
    int word = words[s];
    Four weights = word ? load_four<ALIGNED>(encoding + s * E, e, E) : Four();
    return weights * load_four<ALIGNED>(table + word * E, e, E);
  });
}

// readings[n, e], one thread per four columns; i counts them, row after row.
__device__ void bow_reading(int i, const int *words, const real *table, const real *encoding, int S,
                            int E, real *readings) {
  int fours = (E + 3) / 4, n = i / fours, e = 4 * (i - n * fours);
  real *row = readings + (size_t)n * E;
  words += (size_t)n * S;
  if (are_aligned(E, table, encoding) && are_aligned(E, readings, readings))
    store_four<true>(sum_of_words<true>(words, table, encoding, S, E, e), row, e, E);
  else
    store_four<false>(sum_of_words<false>(words, table, encoding, S, E, e), row, e, E);
}
