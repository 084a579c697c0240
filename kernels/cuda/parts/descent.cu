// Gradient descent with bounded norms on several parameters in one launch: blockIdx.y is which. The
// gradient is of all elements or of some rows. A parameter has its own range of `sums`, from
// `begin` to `end`: sums of squares of its gradient, one per block.
#include "parts/sums.cu"

#define DESCENT(FIELD, j)          \
  FIELD(real *, theta##j)          \
  FIELD(int, has_rows##j)          \
  FIELD(const int *, rows##j)      \
  FIELD(const real *, gradient##j) \
  FIELD(int, count##j)             \
  FIELD(int, width##j)             \
  FIELD(int, begin##j)             \
  FIELD(int, end##j)               \
  FIELD(real *, squares##j)

#define DESCENTS(FIELD) REPEAT(DESCENTS_PER_LAUNCH, DESCENT, FIELD)

struct Descent {
  DESCENT(MEMBER, )
};

#define CHOOSE_DESCENT \
  Descent d;           \
  switch (blockIdx.y) { REPEAT(DESCENTS_PER_LAUNCH, DESCENT_CASE, VALUE) }
#define DESCENT_CASE(FIELD, j) \
  case j:                      \
    d = {DESCENT(FIELD, j)};   \
    break;

extern "C" __global__ void descent_squares(DESCENTS(PARAMETER) int elements_per_block, real *sums) {
  CHOOSE_DESCENT
  int place = d.begin + blockIdx.x, first = blockIdx.x * elements_per_block;
  if (place >= d.end) return;  // all threads of the block: another parameter is larger
  real sum = 0;
  for (int i = first + threadIdx.x; i < min(d.count, first + elements_per_block); i += blockDim.x)
    sum += d.gradient[i] * d.gradient[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) sums[place] = sum;
}

// theta -= rate min(1, max_norm / norm) g; the norm is over all `all_sums` if `together`, else over
// the parameter's own. If `adaptive`, s += g^2 first, and the rate is divided by the root of s.
extern "C" __global__ void descend(DESCENTS(PARAMETER) const real *sums, int all_sums, int together,
                                   real max_norm, real rate, int adaptive) {
  CHOOSE_DESCENT
  if (d.begin + (int)blockIdx.x >= d.end) return;
  int first = together ? 0 : d.begin, last = together ? all_sums : d.end;
  real sum = 0;
  for (int k = first + threadIdx.x; k < last; k += blockDim.x) sum += sums[k];
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
