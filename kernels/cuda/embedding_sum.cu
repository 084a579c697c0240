// readings[n, e] = sum_s encoding[s, e] table[words[n, s], e], the nil word counting nothing.
extern "C" __global__ void sum_words(const int *words, const real *table, const real *encoding,
                                     real *readings, int N, int S, int E) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, n = i / E, e = i % E;
  if (n >= N) return;
  real sum = 0;
  for (int s = 0; s < S; s++) {
    int word = words[n * S + s];
    if (word) sum += encoding[s * E + e] * table[word * E + e];
  }
  readings[i] = sum;
}
