// Sums. The order of every sum depends on the sizes only, so the same inputs give the same bits.
#include "parts/common.cu"

#define LANES_PER_ROW 8
#define LOADS_IN_FLIGHT 4

// Sum a value of each thread of a block; every thread gets the sum.
__device__ real block_sum(real x) {
  __shared__ real sums[WARP];
  for (int offset = WARP / 2; offset; offset /= 2) x += __shfl_xor_sync(ALL_LANES, x, offset);
  __syncthreads();  // the sums of the previous call may still be read
  if (threadIdx.x % WARP == 0) sums[threadIdx.x / WARP] = x;
  __syncthreads();
  real total = 0;
  for (int warp = 0; warp < (int)blockDim.x / WARP; warp++) total += sums[warp];
  return total;
}

__device__ real block_max(real x) {
  __shared__ real maxima[WARP];
  for (int offset = WARP / 2; offset; offset /= 2)
    x = max(x, __shfl_xor_sync(ALL_LANES, x, offset));
  __syncthreads();
  if (threadIdx.x % WARP == 0) maxima[threadIdx.x / WARP] = x;
  __syncthreads();
  real largest = maxima[0];
  for (int warp = 1; warp < (int)blockDim.x / WARP; warp++) largest = max(largest, maxima[warp]);
  return largest;
}

// The sum, and the maximum, of term(i) over i < count. Every warp computes it, so that no warp
// has to synchronise with another.
template <class Term>
__device__ real sum_of(int count, Term term) {
  real sum = 0;
  for (int i = threadIdx.x % WARP; i < count; i += WARP) sum += term(i);
  for (int offset = WARP / 2; offset; offset /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  return sum;
}

template <class Term>
__device__ real largest_of(int count, real least, Term term) {
  real largest = least;
  for (int i = threadIdx.x % WARP; i < count; i += WARP) largest = max(largest, term(i));
  for (int offset = WARP / 2; offset; offset /= 2)
    largest = max(largest, __shfl_xor_sync(ALL_LANES, largest, offset));
  return largest;
}

// The sum of term(k) over k = first, first + step, first + 2 step .. below `last`, in this order.
// Several loads are in flight, except for the last few terms.
template <class Term>
__device__ auto strided_sum(int first, int last, int step, Term term) {
  decltype(term(0)) sum = {};
  int k = first;
  for (; k + (LOADS_IN_FLIGHT - 1) * step < last; k += LOADS_IN_FLIGHT * step) {
    decltype(term(0)) terms[LOADS_IN_FLIGHT];
#pragma unroll
    for (int n = 0; n < LOADS_IN_FLIGHT; n++) terms[n] = term(k + n * step);
#pragma unroll
    for (int n = 0; n < LOADS_IN_FLIGHT; n++) sum += terms[n];
  }
#pragma unroll 1
  for (; k < last; k += step) sum += term(k);
  return sum;
}

// The rows of a matrix. A row is what has components: a pointer, or an object with [].
struct Matrix {
  const real *first;
  int width;

  __device__ const real *operator()(int i) const { return first + (size_t)i * width; }
};

// y_i = x · row(i), LANES_PER_ROW lanes per row, so that their loads are coalesced.
template <class Rows>
__device__ void row_dots(int rows, int width, const real *x, Rows row, real *y) {
  int lane = threadIdx.x % LANES_PER_ROW, rows_at_once = blockDim.x / LANES_PER_ROW;
  for (int first = 0; first < rows; first += rows_at_once) {
    int i = first + threadIdx.x / LANES_PER_ROW;
    real sum = 0;
    if (i < rows) {
      auto row_i = row(i);
      sum = strided_sum(lane, width, LANES_PER_ROW, [&](int k) { return x[k] * row_i[k]; });
    }
    for (int offset = LANES_PER_ROW / 2; offset; offset /= 2)
      sum += __shfl_xor_sync(ALL_LANES, sum, offset);
    if (i < rows && lane == 0) y[i] = sum;
  }
  __syncthreads();
}

// y = sum_k x_k row(k). Groups of threads share the rows, each with one partial sum per column: as
// many groups as have room in `scratch`, which has PARTIAL_SUMS elements. The order of a sum
// therefore does not depend on the number of threads.
template <class Rows>
__device__ void column_sums(int columns, int rows, const real *x, Rows row, real *y,
                            real *scratch) {
  for (int first = 0; first < columns; first += PARTIAL_SUMS) {
    int width = min(columns - first, PARTIAL_SUMS), groups = PARTIAL_SUMS / width;
    float inverse = 1.0f / width;  // exact enough for i / width, and faster than a division
    for (int i = threadIdx.x; i < groups * width; i += blockDim.x) {
      int group = (int)((i + 0.5f) * inverse), column = first + i - group * width;
      scratch[i] = strided_sum(group, rows, groups, [&](int k) { return x[k] * row(k)[column]; });
    }
    __syncthreads();
    for (int c = threadIdx.x; c < width; c += blockDim.x)
      y[first + c] = strided_sum(0, groups, 1, [&](int g) { return scratch[g * width + c]; });
    __syncthreads();
  }
}

// One block: total = sum_i x_i
extern "C" __global__ void sum_losses(const real *x, int count, real *total) {
  real sum = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *total = sum;
}
