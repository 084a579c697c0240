// What the kernels share. A block has one row of threads, a multiple of 32; every sum is taken in an
// order that the sizes alone decide, so the same numbers give the same bits.
//
// Several models may train side by side from their own starts. Their arrays then stand one after
// another, and `blockIdx.y` is the start; of what stands in longer rows (all parameters, a batch, all
// readings) the kernels are told the rows' lengths. One model is a grid of height 1.
typedef REAL real;
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ real name[]
#endif

#define ALL_LANES 0xffffffffu
#define WARP 32
#define LANES_A_ROW 8
#define AT_ONCE 8
#define NOTHING ((real)-1e30f)  // less than any score

// Sum what the threads of a block hold; every thread gets the sum.
__device__ real block_sum(real x) {
  __shared__ real parts[WARP];
  for (int offset = WARP / 2; offset; offset /= 2) x += __shfl_xor_sync(ALL_LANES, x, offset);
  __syncthreads();  // parts of the call before may still be read
  if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = x;
  __syncthreads();
  real total = 0;
  for (int warp = 0; warp < (int)blockDim.x / WARP; warp++) total += parts[warp];
  return total;
}

__device__ real block_max(real x) {
  __shared__ real parts[WARP];
  for (int offset = WARP / 2; offset; offset /= 2)
    x = max(x, __shfl_xor_sync(ALL_LANES, x, offset));
  __syncthreads();
  if (threadIdx.x % WARP == 0) parts[threadIdx.x / WARP] = x;
  __syncthreads();
  real largest = parts[0];
  for (int warp = 1; warp < (int)blockDim.x / WARP; warp++) largest = max(largest, parts[warp]);
  return largest;
}

// The sum, and the largest, of number(i) below `count`. Every warp works it out by itself, so none waits
// for another.
template <class Number>
__device__ real sum_of(int count, Number number) {
  real sum = 0;
  for (int i = threadIdx.x % WARP; i < count; i += WARP) sum += number(i);
  for (int offset = WARP / 2; offset; offset /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, offset);
  return sum;
}

template <class Number>
__device__ real largest_of(int count, real least, Number number) {
  real largest = least;
  for (int i = threadIdx.x % WARP; i < count; i += WARP) largest = max(largest, number(i));
  for (int offset = WARP / 2; offset; offset /= 2)
    largest = max(largest, __shfl_xor_sync(ALL_LANES, largest, offset));
  return largest;
}

// The sum of number(k) over k = first, first + step and so on, below `last`, in this order. A thread
// waits for some fetches together, not for each of them; beyond the last they fetch the last again.
template <class Number>
__device__ real strided_sum(int first, int last, int step, Number number) {
  real sum = 0;
  for (int from = first; from < last; from += AT_ONCE * step) {
    real some[AT_ONCE];
#pragma unroll
    for (int n = 0; n < AT_ONCE; n++) some[n] = number(min(from + n * step, last - 1));
#pragma unroll
    for (int n = 0; n < AT_ONCE; n++) sum += from + n * step < last ? some[n] : (real)0;
  }
  return sum;
}

// y_i = sum_k x_k entry(i, k): eight lanes a row, so that they read it side by side.
template <class Entry>
__device__ void row_dots(int rows, int width, const real *x, Entry entry, real *y) {
  int lane = threadIdx.x % LANES_A_ROW, at_once = blockDim.x / LANES_A_ROW;
  for (int first = 0; first < rows; first += at_once) {
    int i = first + threadIdx.x / LANES_A_ROW;
    real sum = 0;
    if (i < rows)
      sum = strided_sum(lane, width, LANES_A_ROW, [&](int k) { return x[k] * entry(i, k); });
    for (int offset = LANES_A_ROW / 2; offset; offset /= 2)
      sum += __shfl_xor_sync(ALL_LANES, sum, offset);
    if (i < rows && lane == 0) y[i] = sum;
  }
  __syncthreads();
}

// y_c = sum_k x_k entry(k, c): a thread a column; where there are more threads than columns, groups
// of them share the rows. `scratch` holds a number a thread.
template <class Entry>
__device__ void column_sums(int columns, int rows, const real *x, Entry entry, real *y,
                            real *scratch) {
  int t = threadIdx.x, threads = blockDim.x;
  for (int first = 0; first < columns; first += threads) {
    int width = min(columns - first, threads), groups = threads / width;
    real sum = 0;
    if (t / width < groups)
      sum = strided_sum(t / width, rows, groups,
                        [&](int k) { return x[k] * entry(k, first + t % width); });
    scratch[t] = sum;
    __syncthreads();
    if (t < width) {
      real total = 0;
      for (int group = 0; group < groups; group++) total += scratch[group * width + t];
      y[first + t] = total;
    }
    __syncthreads();
  }
}

// y_i += x_i
__device__ void add_to(int count, const real *x, real *y) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) y[i] += x[i];
  __syncthreads();
}

// What start `blockIdx.y` has of an array with so many numbers a start.
template <class T>
__device__ T *of_start(T *array, size_t numbers) {
  return array + blockIdx.y * numbers;
}

__device__ void store(int count, const real *x, real *to) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) to[i] = x[i];
}
