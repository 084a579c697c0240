// Sums over long vectors, and vectors put together.

// Block k sums the squares of its numbers.
extern "C" __global__ void sum_squares(const real *x, int count, int numbers_a_block, real *parts) {
  int first = blockIdx.x * numbers_a_block, last = min(count, first + numbers_a_block);
  real sum = 0;
  for (int i = first + threadIdx.x; i < last; i += blockDim.x) sum += x[i] * x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) parts[blockIdx.x] = sum;
}

// One block: total = factor sum_i x_i
extern "C" __global__ void scaled_sum(const real *x, int count, real factor, real *total) {
  real sum = 0;
  for (int i = threadIdx.x; i < count; i += blockDim.x) sum += x[i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) *total = factor * sum;
}

// Copy up to eight arrays one after another; the n-th ends before number `end_n` of the vector.
#define PART(n) const real *part##n, int end##n
#define COPY(n)                               \
  if (i < end##n) {                           \
    vector[start + i] = part##n[i - begin];   \
    return;                                   \
  }                                           \
  begin = end##n;

extern "C" __global__ void put_together(real *vector, int start, PART(0), PART(1), PART(2), PART(3),
                                        PART(4), PART(5), PART(6), PART(7)) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, begin = 0;
  COPY(0) COPY(1) COPY(2) COPY(3) COPY(4) COPY(5) COPY(6) COPY(7)
}
