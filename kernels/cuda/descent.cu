// Gradient descent with bounded norms, up to six parameters in one launch: blockIdx.y is which. A
// parameter has a gradient for all of its numbers or for some rows, and its own share of `parts`, from
// `begin` to `end`: squares of its gradient, summed block by block.
#define DESCENT(j)                                                                                 \
  real *theta##j, int has_rows##j, const int *rows##j, const real *gradient##j, int count##j,      \
      int width##j, int begin##j, int end##j, real *squares##j
#define DESCENTS DESCENT(0), DESCENT(1), DESCENT(2), DESCENT(3), DESCENT(4), DESCENT(5)

struct Descent {
  real *theta;
  int has_rows;
  const int *rows;
  const real *gradient;
  int count, width, begin, end;
  real *squares;
};

#define CHOOSE(j) \
  case j: d = {theta##j, has_rows##j, rows##j, gradient##j, count##j, width##j, begin##j, end##j, squares##j}; break;
#define CHOOSE_DESCENT \
  Descent d;           \
  switch (blockIdx.y) { CHOOSE(0) CHOOSE(1) CHOOSE(2) CHOOSE(3) CHOOSE(4) CHOOSE(5) }

extern "C" __global__ void descent_squares(DESCENTS, int numbers_a_block, real *parts) {
  CHOOSE_DESCENT
  int part = d.begin + blockIdx.x, first = blockIdx.x * numbers_a_block;
  if (part >= d.end) return;  // all threads of the block: another parameter is larger
  real sum = 0;
  for (int i = first + threadIdx.x; i < min(d.count, first + numbers_a_block); i += blockDim.x)
    sum += d.gradient[i] * d.gradient[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[part] = sum;
}

// theta -= rate min(1, max_norm / norm) g, the norm over all `all_parts` or the parameter's own. With
// sums of squares, s += g^2 first, and each number's rate is divided by its root.
extern "C" __global__ void descend(DESCENTS, const real *parts, int all_parts, int together,
                                   real max_norm, real rate, int adaptive) {
  CHOOSE_DESCENT
  if (d.begin + (int)blockIdx.x >= d.end) return;
  int first = together ? 0 : d.begin, last = together ? all_parts : d.end;
  real sum = 0;
  for (int k = first + threadIdx.x; k < last; k += blockDim.x) sum += parts[k];
  real scale = max_norm / max((real)sqrt(block_sum(sum)), max_norm);
  int step = (d.end - d.begin) * blockDim.x;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < d.count; i += step) {
    size_t place = d.has_rows ? (size_t)d.rows[i / d.width] * d.width + i % d.width : i;
    real g = scale * d.gradient[i], divisor = 1;
    if (adaptive) {
      d.squares[place] += g * g;
      divisor = sqrt(d.squares[place]);
    }
    d.theta[place] -= rate * g / divisor;
  }
}
