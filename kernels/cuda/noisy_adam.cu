// The published update in two launches: squares of every chunk, then everything else.
// A chunk is a row of `chunks`: from which to which parameter it goes, and from which to which chunk
// its array goes.

extern "C" __global__ void chunk_squares(const real *gradient, const int *chunks, real *squares) {
  const int *chunk = chunks + 4 * blockIdx.x;
  real sum = 0;
  for (int i = chunk[0] + threadIdx.x; i < chunk[1]; i += blockDim.x)
    sum += gradient[i] * gradient[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

extern "C" __global__ void noisy_adam(real *theta, const real *gradient, real *m, real *v,
                                      const int *chunks, const real *squares, const int *silent,
                                      int silent_parts, real clip_norm, real deviation,
                                      unsigned purpose, unsigned key_low, unsigned key_high,
                                      const long long *step, const double *learning_rate,
                                      double beta_1, double beta_2, real epsilon) {
  const int *chunk = chunks + 4 * blockIdx.x;
  __shared__ real rate;
  if (threadIdx.x == 0) {
    double t = (double)(*step + 1);
    rate = (real)(*learning_rate * sqrt(1 - pow(beta_2, t)) / (1 - pow(beta_1, t)));
  }
  real sum = 0;
  for (int k = chunk[2] + threadIdx.x; k < chunk[3]; k += blockDim.x) sum += squares[k];
  real norm = sqrt(block_sum(sum)), scale = clip_norm / max(norm, clip_norm);
  real gain_1 = (real)(1 - beta_1), gain_2 = (real)(1 - beta_2);
  // Four numbers of noise come together, counted from the vector's start: a chunk's first and last
  // four may be the neighbours' as well.
  for (int block = chunk[0] / 4 + threadIdx.x; 4 * block < chunk[1]; block += blockDim.x) {
    Words words = philox(block, purpose, *step, key_low, key_high);
    for (int pair = 0; pair < 4; pair += 2) {
      real radius = deviation * sqrt((real)-2 * log(unit_interval(words.w[pair])));
      real z[2];  // Box-Muller: cosine, then sine
      sincospi(2 * unit_interval(words.w[pair + 1]), &z[1], &z[0]);
      for (int n = 0; n < 2; n++) {
        int i = 4 * block + pair + n;
        if (i < chunk[0] || i >= chunk[1]) continue;
        real noise = radius * z[n];
        for (int k = 0; k < silent_parts; k++)
          if (i >= silent[2 * k] && i < silent[2 * k + 1]) noise = 0;
        real g = scale * gradient[i] + noise;
        real mean = m[i] + gain_1 * (g - m[i]), square = v[i] + gain_2 * (g * g - v[i]);
        m[i] = mean, v[i] = square;
        theta[i] -= rate * mean / (sqrt(square) + epsilon);
      }
    }
  }
}
