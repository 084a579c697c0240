// Up to six products X_jᵀ Y_j in one launch, some of them of several pairs of matrices: gradients of
// matrices are sums over questions and hops of outer products. X is (pairs, rows, m), Y is
// (pairs, rows, n), Z is (pairs, m, n). A block of 256 threads makes 16 x 16 numbers.

#define TILE 16
#define DEPTH 64  // rows at a time: their fetches overlap

__device__ void product(const real *X, const real *Y, real *Z, int pairs, int rows, int m, int n,
                        int parameters) {
  __shared__ real x[DEPTH][TILE], y[DEPTH][TILE];
  int down = (m + TILE - 1) / TILE, across = (n + TILE - 1) / TILE;
  int pair = blockIdx.x / (down * across), tile = blockIdx.x % (down * across);
  if (pair >= pairs) return;  // all threads of the block: another product is larger
  X = of_start(X, (size_t)pairs * rows * m) + pair * rows * m;
  Y = of_start(Y, (size_t)pairs * rows * n) + pair * rows * n;
  Z = of_start(Z, parameters) + pair * m * n;
  int i = threadIdx.x / TILE, j = threadIdx.x % TILE;
  int first_m = tile / across * TILE, first_n = tile % across * TILE;
  real sum = 0;
  for (int first = 0; first < rows; first += DEPTH) {
    for (int d = i; d < DEPTH; d += TILE) {  // thread (i, j) fetches every sixteenth row's number
      int k = first + d;
      x[d][j] = k < rows && first_m + j < m ? X[k * m + first_m + j] : 0;
      y[d][j] = k < rows && first_n + j < n ? Y[k * n + first_n + j] : 0;
    }
    __syncthreads();
    for (int d = 0; d < DEPTH; d++) sum += x[d][i] * y[d][j];
    __syncthreads();
  }
  if (first_m + i < m && first_n + j < n) Z[(first_m + i) * n + first_n + j] = sum;
}

#define PRODUCT(j)                                                                             \
  const real *X##j, const real *Y##j, real *Z##j, int pairs##j, int rows##j, int m##j, int n##j
#define CASE(j) \
  case j: product(X##j, Y##j, Z##j, pairs##j, rows##j, m##j, n##j, parameters); break;

extern "C" __global__ void products(PRODUCT(0), PRODUCT(1), PRODUCT(2), PRODUCT(3), PRODUCT(4),
                                    PRODUCT(5), int parameters) {
  switch (blockIdx.z) { CASE(0) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) }
}
