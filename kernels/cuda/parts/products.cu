// Several products Z_j = X_jᵀ Y_j in one launch: gradients of matrices are sums of outer products
// over questions and hops. X is (pairs, rows, m), Y is (pairs, rows, n), Z is (pairs, all_m, n),
// whose rows from m on are zero. A block computes TILE x TILE elements: sixteen groups of threads
// share the rows, a thread sums 4 x 4 elements over the rows of its group, and then the sums of the
// groups are added in their order. The blocks of one product follow those of the other.
#include "parts/common.cu"

#define EACH 4  // elements of a thread in each dimension
#define THREADS_PER_GROUP (TILE / EACH * TILE / EACH)
#define DEPTH 128  // rows that are loaded together

static_assert(THREADS == TILE * TILE, "at the end, a thread adds up one element");

#define PRODUCT(FIELD, j)   \
  FIELD(const real *, X##j) \
  FIELD(const real *, Y##j) \
  FIELD(real *, Z##j)       \
  FIELD(int, pairs##j)      \
  FIELD(int, rows##j)       \
  FIELD(int, m##j)          \
  FIELD(int, n##j)          \
  FIELD(int, all_m##j)

#define PRODUCTS(FIELD) REPEAT(PRODUCTS_PER_LAUNCH, PRODUCT, FIELD)

struct Product {
  PRODUCT(MEMBER, )

  __device__ int across() const { return (n + TILE - 1) / TILE; }
  __device__ int tiles() const { return (all_m + TILE - 1) / TILE * across(); }
};

// `block`: of those that compute the product. Returns the element that the thread stored, or null.
__device__ real *multiply(const Product &p, int block, int parameter_stride) {
  alignas(16) __shared__ real held[2 * DEPTH * TILE];  // of X and Y, later the sums of all groups
  real *x = held, *y = held + DEPTH * TILE;
  int rows = p.rows, m = p.m, n = p.n;
  int across = p.across(), pair = block / p.tiles(), tile = block % p.tiles(), t = threadIdx.x;
  const real *X = of_model(p.X, (size_t)p.pairs * rows * m) + pair * rows * m;
  const real *Y = of_model(p.Y, (size_t)p.pairs * rows * n) + pair * rows * n;
  real *Z = of_model(p.Z, parameter_stride) + pair * p.all_m * n;
  int first_m = tile / across * TILE, first_n = tile % across * TILE;
  constexpr int groups = THREADS / THREADS_PER_GROUP;
  int group = t / THREADS_PER_GROUP;
  int i = t % THREADS_PER_GROUP / (TILE / EACH) * EACH, j = t % (TILE / EACH) * EACH;
  real sum[EACH][EACH] = {};
  for (int first = 0; first < rows; first += DEPTH) {
    int depth = min(rows - first, DEPTH);
#pragma unroll 4
    for (int place = 0; place < depth * TILE; place += THREADS) {
      int k = first + (place + t) / TILE, column = t % TILE;
      x[place + t] = k < rows && first_m + column < m ? X[k * m + first_m + column] : 0;
      y[place + t] = k < rows && first_n + column < n ? Y[k * n + first_n + column] : 0;
    }
    __syncthreads();
#pragma unroll 2
    for (int d = group; d < depth; d += groups)
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
#pragma unroll
  for (int g = 0; g < groups; g++) total += held[g * TILE * TILE + t];
  i = t / TILE, j = t % TILE;
  if (first_m + i >= p.all_m || first_n + j >= n) return nullptr;
  real *element = Z + (first_m + i) * n + first_n + j;
  *element = total;
  return element;
}

// Choose, in a kernel with PRODUCTS_PER_LAUNCH products, the one of the present block, and which of
// its blocks this is. If it is a block after all those of products, `chosen` is their number.
#define CHOOSE_PRODUCT                \
  Product product = {};               \
  int block = blockIdx.x, chosen = 0; \
  REPEAT(PRODUCTS_PER_LAUNCH, TRY_PRODUCT, VALUE)
#define TRY_PRODUCT(FIELD, j)                       \
  if (chosen == j) {                                \
    product = {PRODUCT(FIELD, j)};                  \
    int blocks = product.pairs * product.tiles();   \
    if (block >= blocks) block -= blocks, chosen++; \
  }

// Grid: blocks of all products, models.
extern "C" __global__ void products(PRODUCTS(PARAMETER) int parameter_stride) {
  CHOOSE_PRODUCT
  multiply(product, block, parameter_stride);
}
