// The update of `kvnet.updates.noisy_adam` in two passes: the squares of every chunk, then all the
// rest. A chunk is a row of `chunks`: its first and last parameter, and the range of the sums of
// squares that its section has. The gradient is given without the penalty's, l2 theta.
#include "parts/philox.cu"
#include "parts/sums.cu"

// For each model the sum of squared gradients of each chunk, then those of squared parameters.
extern "C" __global__ void chunk_squares(const real *theta, const real *gradient, int parameters,
                                         real l2, const int *chunks, real *squares) {
  const int *chunk = chunks + 4 * blockIdx.x;
  theta = of_model(theta, parameters), gradient = of_model(gradient, parameters);
  squares = of_model(squares, 2 * gridDim.x);
  real of_gradient = 0, of_theta = 0;
  for (int i = chunk[0] + threadIdx.x; i < chunk[1]; i += blockDim.x) {
    real g = gradient[i] + l2 * theta[i];
    of_gradient += g * g, of_theta += theta[i] * theta[i];
  }
  of_gradient = block_sum(of_gradient), of_theta = block_sum(of_theta);
  if (threadIdx.x) return;
  squares[blockIdx.x] = of_gradient, squares[gridDim.x + blockIdx.x] = of_theta;
}

// Where a block that computes elements of the gradient stores their sum of squares, so that they
// are not read again: for each model the sums of the gradient, then those of the parameters.
#define SQUARES(FIELD)          \
  FIELD(const real *, theta)    \
  FIELD(const real *, gradient) \
  FIELD(real, l2)               \
  FIELD(real *, squares)        \
  FIELD(int, sums)

struct Squares {
  SQUARES(MEMBER)
};

// `element`: the one that the thread has computed, or null. `place`: of the block's sum.
__device__ void store_squares(const Squares &s, const real *element, int place) {
  real of_gradient = 0, of_theta = 0;
  if (element) {
    real theta = s.theta[element - s.gradient], g = *element + s.l2 * theta;
    of_gradient = g * g, of_theta = theta * theta;
  }
  of_gradient = block_sum(of_gradient), of_theta = block_sum(of_theta);
  if (threadIdx.x) return;
  real *squares = of_model(s.squares, 2 * s.sums);
  squares[place] = of_gradient, squares[s.sums + place] = of_theta;
}

#define UPDATE(FIELD)            \
  FIELD(real *, theta)           \
  FIELD(const real *, gradient)  \
  FIELD(real *, m)               \
  FIELD(real *, v)               \
  FIELD(int, parameters)         \
  FIELD(real, l2)                \
  FIELD(const int *, chunks)     \
  FIELD(const real *, squares)   \
  FIELD(int, sums)               \
  FIELD(const int *, silent)     \
  FIELD(int, silent_parts)       \
  FIELD(real, clip_norm)         \
  FIELD(real, deviation)         \
  FIELD(unsigned, purpose)       \
  FIELD(const unsigned *, keys)  \
  FIELD(const long long *, step) \
  FIELD(const double *, rate)    \
  FIELD(double, beta_1)          \
  FIELD(double, beta_2)          \
  FIELD(real, epsilon)

struct Update {
  UPDATE(MEMBER)
};

__device__ void update_chunk(const Update &u) {
  const int *chunk = u.chunks + 4 * blockIdx.x;
  const real *gradient = of_model(u.gradient, u.parameters);
  real *theta = of_model(u.theta, u.parameters);
  real *m = of_model(u.m, u.parameters), *v = of_model(u.v, u.parameters);
  const real *squares = of_model(u.squares, 2 * u.sums);
  const unsigned *key = of_model(u.keys, 2);
  long long step = *of_model(u.step, 1);
  real rate = (real)*of_model(u.rate, 1);
  real sum = 0;
  for (int k = chunk[2] + threadIdx.x; k < chunk[3]; k += blockDim.x) sum += squares[k];
  real norm = sqrt(block_sum(sum)), scale = u.clip_norm / max(norm, u.clip_norm);
  real gain_1 = (real)(1 - u.beta_1), gain_2 = (real)(1 - u.beta_2);
  // Noise is drawn in fours, counted from the start of the vector. The first and the last four of a
  // chunk may extend into the chunks next to it.
  auto update_four = [&](auto aligned, int first) {
    constexpr bool ALIGNED = decltype(aligned)::value;
    auto load = [=](const real *x) { return load_four<ALIGNED>(x, first, u.parameters); };
    Four g = load(gradient), t = load(theta), mean = load(m), square = load(v);
    RandomWords words = philox(first / 4, u.purpose, step, key[0], key[1]);
    for (int pair = 0; pair < 4; pair += 2) {
      real radius = u.deviation * sqrt((real)-2 * log(unit_interval(words.w[pair])));
      real z[2];  // Box-Muller: cosine, then sine
      sincospi(2 * unit_interval(words.w[pair + 1]), &z[1], &z[0]);
      for (int n = 0; n < 2; n++) {
        int c = pair + n, i = first + c;
        real noise = radius * z[n];
        for (int k = 0; k < u.silent_parts; k++)
          if (i >= u.silent[2 * k] && i < u.silent[2 * k + 1]) noise = 0;
        real x = scale * (g.x[c] + u.l2 * t.x[c]) + noise;
        mean.x[c] += gain_1 * (x - mean.x[c]), square.x[c] += gain_2 * (x * x - square.x[c]);
        t.x[c] -= rate * mean.x[c] / (sqrt(square.x[c]) + u.epsilon);
      }
    }
    if constexpr (ALIGNED) {
      *(Four *)(m + first) = mean, *(Four *)(v + first) = square, *(Four *)(theta + first) = t;
    } else {
#pragma unroll
      for (int c = 0; c < 4; c++) {
        int i = first + c;
        if (i >= chunk[0] && i < chunk[1]) m[i] = mean.x[c], v[i] = square.x[c], theta[i] = t.x[c];
      }
    }
  };
  bool aligned = are_aligned(0, gradient, theta) && are_aligned(0, m, v);
  for (int first = chunk[0] / 4 * 4 + 4 * threadIdx.x; first < chunk[1]; first += 4 * blockDim.x) {
    if (aligned && first >= chunk[0] && first + 4 <= chunk[1])
      update_four(Constant<true>(), first);
    else
      update_four(Constant<false>(), first);
  }
}

// The penalty of a model before the step, computed by one block; every thread gets it.
__device__ real l2_penalty(const Update &u) {
  const real *of_theta = of_model(u.squares, 2 * u.sums) + u.sums;
  real sum = 0;
  for (int k = threadIdx.x; k < u.sums; k += blockDim.x) sum += of_theta[k];
  return (real)0.5 * u.l2 * block_sum(sum);
}
