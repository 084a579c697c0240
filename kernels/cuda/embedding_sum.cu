// sum_s encoding[s, e] table[words[s], e], the nil word counting nothing.
__device__ real reading(const int *words, const real *table, const real *encoding, int S, int E,
                        int e) {
  return strided_sum(0, S, 1, [=](int s) {
    int word = words[s];
    real component = table[word * E + e];
    return word ? encoding[s * E + e] * component : (real)0;
  });
}

// readings[n, e], a thread a number.
extern "C" __global__ void sum_words(const int *words, const real *table, const real *encoding,
                                     real *readings, int N, int S, int E) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, n = i / E;
  if (n < N) readings[i] = reading(words + n * S, table, encoding, S, E, i % E);
}
