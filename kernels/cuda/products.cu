// Up to six products X_jᵀ Y_j in one launch, some of them of several pairs of matrices: gradients of
// matrices are sums over questions and hops of outer products. X is (pairs, rows, m), Y is
// (pairs, rows, n), Z is (pairs, all_m, n), of which the rows from m on are zero. A block of 256 threads makes 16 x 16 numbers: sixteen groups of
// threads share the rows out, a thread sums 4 x 4 numbers over its group's, and at last the groups' are
// added in their order.

#define TILE 16
#define EACH 4  // numbers of a thread down and across
#define THREADS_A_GROUP (TILE / EACH * TILE / EACH)
#define DEPTH 128  // rows at a time: their fetches overlap

// `number`: where a thread has put its own.
__device__ void product(const real *X, const real *Y, real *Z, int pairs, int rows, int m, int n,
                        int all_m, int parameters, real *&number) {
  alignas(16) __shared__ real held[2 * DEPTH * TILE];  // of X and Y, then every group's sums
  real *x = held, *y = held + DEPTH * TILE;
  int down = (all_m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE;
  int pair = blockIdx.x / (down * across), tile = blockIdx.x % (down * across), t = threadIdx.x;
  if (pair >= pairs) return;  // all threads of the block: another product is larger
  X = of_start(X, (size_t)pairs * rows * m) + pair * rows * m;
  Y = of_start(Y, (size_t)pairs * rows * n) + pair * rows * n;
  Z = of_start(Z, parameters) + pair * all_m * n;
  int first_m = tile / across * TILE, first_n = tile % across * TILE;
  int group = t / THREADS_A_GROUP, groups = blockDim.x / THREADS_A_GROUP;
  int i = t % THREADS_A_GROUP / (TILE / EACH) * EACH, j = t % (TILE / EACH) * EACH;
  real sum[EACH][EACH] = {};
  for (int first = 0; first < rows; first += DEPTH) {
#pragma unroll
    for (int place = 0; place < DEPTH * TILE; place += 256) {
      int k = first + (place + t) / TILE, column = t % TILE;
      x[place + t] = k < rows && first_m + column < m ? X[k * m + first_m + column] : 0;
      y[place + t] = k < rows && first_n + column < n ? Y[k * n + first_n + column] : 0;
    }
    __syncthreads();
    for (int d = group; d < DEPTH; d += groups)
#pragma unroll
      for (int a = 0; a < EACH; a++)
#pragma unroll
        for (int b = 0; b < EACH; b++) sum[a][b] += x[d * TILE + i + a] * y[d * TILE + j + b];
    __syncthreads();
  }
#pragma unroll
  for (int a = 0; a < EACH; a++)
#pragma unroll
    for (int b = 0; b < EACH; b++) held[(group * TILE + i + a) * TILE + j + b] = sum[a][b];
  __syncthreads();
  real total = 0;
  for (int g = 0; g < groups; g++) total += held[g * TILE * TILE + t];
  i = t / TILE, j = t % TILE;
  if (first_m + i >= all_m || first_n + j >= n) return;
  number = Z + (first_m + i) * n + first_n + j;
  *number = total;
}

#define PRODUCT(j) \
  const real *X##j, const real *Y##j, real *Z##j, int pairs##j, int rows##j, int m##j, int n##j, \
      int all_m##j
#define PRODUCTS_A_LAUNCH 6
#define PRODUCTS PRODUCT(0), PRODUCT(1), PRODUCT(2), PRODUCT(3), PRODUCT(4), PRODUCT(5), int parameters
#define CASE(j) \
  case j:       \
    product(X##j, Y##j, Z##j, pairs##j, rows##j, m##j, n##j, all_m##j, parameters, number); \
    break;
#define MAKE_PRODUCTS     \
  real *number = nullptr; \
  switch (blockIdx.z) { CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) }

extern "C" __global__ void products(PRODUCTS) { MAKE_PRODUCTS }
