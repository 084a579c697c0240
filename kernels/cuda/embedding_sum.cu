// sum_s encoding[s, e] table[words[s], e], the nil word counting nothing.
__device__ real reading(const int *words, const real *table, const real *encoding, int S, int E,
                        int e) {
  real sum = 0;
  for (int s = 0; s < S; s++) {
    int word = words[s];
    if (word) sum += encoding[s * E + e] * table[word * E + e];
  }
  return sum;
}

// readings[n, e], a thread a number.
extern "C" __global__ void sum_words(const int *words, const real *table, const real *encoding,
                                     real *readings, int N, int S, int E) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, n = i / E;
  if (n < N) readings[i] = reading(words + n * S, table, encoding, S, E, i % E);
}
