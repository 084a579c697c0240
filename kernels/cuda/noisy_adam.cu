// The published update in two launches: squares of every chunk, then everything else.
// A chunk is a row of `chunks`: from which to which parameter it goes, and from which to which part of
// the squares its array's are. The gradient of the penalty, l2 theta, is added here.

// For each start its chunks' squared gradients, then their squared parameters.
extern "C" __global__ void chunk_squares(const real *theta, const real *gradient, int parameters,
                                         real l2, const int *chunks, real *squares) {
  const int *chunk = chunks + 4 * blockIdx.x;
  theta = of_start(theta, parameters), gradient = of_start(gradient, parameters);
  squares = of_start(squares, 2 * gridDim.x);
  real of_gradient = 0, of_theta = 0;
  for (int i = chunk[0] + threadIdx.x; i < chunk[1]; i += blockDim.x) {
    real g = gradient[i] + l2 * theta[i];
    of_gradient += g * g, of_theta += theta[i] * theta[i];
  }
  of_gradient = block_sum(of_gradient), of_theta = block_sum(of_theta);
  if (threadIdx.x == 0) squares[blockIdx.x] = of_gradient, squares[gridDim.x + blockIdx.x] = of_theta;
}

// Where a block that makes numbers of the gradient leaves their squares, so that nobody need read them
// again: each start's parts of the gradient's, then of the parameters'.
struct Squares {
  const real *theta, *gradient;  // the first start's
  real l2;
  real *squares;
  int parts;
};

// `number`: the one that a thread has made, if any.
__device__ void leave_squares(const Squares &s, const real *number, int part) {
  real of_gradient = 0, of_theta = 0;
  if (number) {
    real theta = s.theta[number - s.gradient], g = *number + s.l2 * theta;
    of_gradient = g * g, of_theta = theta * theta;
  }
  of_gradient = block_sum(of_gradient), of_theta = block_sum(of_theta);
  real *squares = of_start(s.squares, 2 * s.parts);
  if (threadIdx.x == 0) squares[part] = of_gradient, squares[s.parts + part] = of_theta;
}

#define UPDATE                                                                                    \
  real *theta, const real *gradient, real *m, real *v, int parameters, real l2, const int *chunks,  \
      const real *squares, int parts, const int *silent, int silent_parts, real clip_norm,          \
      real deviation, unsigned purpose, const unsigned *keys, const long long *step,                \
      const double *rate, double beta_1, double beta_2, real epsilon
#define UPDATE_GIVEN                                                                               \
  theta, gradient, m, v, parameters, l2, chunks, squares, parts, silent, silent_parts, clip_norm,   \
      deviation, purpose, keys, step, rate, beta_1, beta_2, epsilon

__device__ void update_chunk(UPDATE) {
  const int *chunk = chunks + 4 * blockIdx.x;
  theta = of_start(theta, parameters), gradient = of_start(gradient, parameters);
  m = of_start(m, parameters), v = of_start(v, parameters);
  squares = of_start(squares, 2 * parts), keys = of_start(keys, 2);
  long long steps_before = *of_start(step, 1);
  real step_rate = (real)*of_start(rate, 1);
  real sum = 0;
  for (int k = chunk[2] + threadIdx.x; k < chunk[3]; k += blockDim.x) sum += squares[k];
  real norm = sqrt(block_sum(sum)), scale = clip_norm / max(norm, clip_norm);
  real gain_1 = (real)(1 - beta_1), gain_2 = (real)(1 - beta_2);
  // Four numbers of noise come together, counted from the vector's start: a chunk's first and last
  // four may be the neighbours' as well.
  for (int block = chunk[0] / 4 + threadIdx.x; 4 * block < chunk[1]; block += blockDim.x) {
    Words words = philox(block, purpose, steps_before, keys[0], keys[1]);
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
        real g = scale * (gradient[i] + l2 * theta[i]) + noise;
        real mean = m[i] + gain_1 * (g - m[i]), square = v[i] + gain_2 * (g * g - v[i]);
        m[i] = mean, v[i] = square;
        theta[i] -= step_rate * mean / (sqrt(square) + epsilon);
      }
    }
  }
}

extern "C" __global__ void noisy_adam(UPDATE) { update_chunk(UPDATE_GIVEN); }
