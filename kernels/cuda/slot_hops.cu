// The End-To-End Memory Networks' hops, a question a block: u' = rectified(u C + o), o = sum_i p_i v_i,
// p = softmax_i(u · k_i). A slot is the sum of K readings and, in the language model, of its temporal
// encoding. Hop h reads keys and values from a stack of tables, some numbers after hop h - 1's.

struct SlotHops {
  int B, M, K, E, H;
  int linear_size;             // components of u' from here on are rectified
  int with_softmax, with_nil;  // with_nil: row 0 stands for nothing
  int has_matrix, has_encodings;
  int from_hop_to_hop;  // numbers between one hop's table and the next one's
  const real *keys, *values, *TK, *TV, *C;
  const int *rows;
};

__device__ real slot(const SlotHops &m, const real *readings, const real *temporal, int i, int e) {
  const int *rows = m.rows + ((size_t)blockIdx.x * m.M + i) * m.K;
  real sum = m.has_encodings ? temporal[i * m.E + e] : (real)0;
  for (int k = 0; k < m.K; k++)
    if (rows[k] || !m.with_nil) sum += readings[(size_t)rows[k] * m.E + e];
  return sum;
}

#define SLOT_HOPS                                                                                  \
  int B, int M, int K, int E, int H, int linear_size, int with_softmax, int with_nil,              \
      int has_matrix, int has_encodings, int from_hop_to_hop, const real *keys, const real *values, \
      const real *TK, const real *TV, const real *C, const int *rows
#define SLOT_HOPS_GIVEN                                                                         \
  {B, M, K, E, H, linear_size, with_softmax, with_nil, has_matrix, has_encodings, from_hop_to_hop, \
   keys, values, TK, TV, C, rows}

// us is (H + 1, B, E): the last is what comes out; ps is (H, B, M).
extern "C" __global__ void slot_hops(SLOT_HOPS, real *us, real *ps) {
  DYNAMIC_SHARED(u);
  SlotHops m = SLOT_HOPS_GIVEN;
  real *read = u + E, *mapped = read + E, *p = mapped + E, *scratch = p + M;
  auto matrix = [=](int d, int e) { return C[d * E + e]; };
  store(E, us + (size_t)blockIdx.x * E, u);
  __syncthreads();
  for (int h = 0; h < H; h++) {
    size_t place = (size_t)h * B + blockIdx.x, table = (size_t)h * from_hop_to_hop;
    auto key = [&](int i, int e) { return slot(m, keys + table, TK, i, e); };
    auto value = [&](int i, int e) { return slot(m, values + table, TV, i, e); };
    row_dots(M, E, u, key, p);
    if (with_softmax) softmax(p, M, rows, false);
    store(M, p, ps + place * M);
    column_sums(E, M, p, value, read, scratch);
    if (has_matrix) column_sums(E, E, u, matrix, mapped, scratch);
    for (int e = threadIdx.x; e < E; e += blockDim.x) {
      real x = (has_matrix ? mapped[e] : u[e]) + read[e];
      u[e] = e < linear_size ? x : max(x, (real)0);
    }
    __syncthreads();
    store(E, u, us + (place + B) * E);
  }
}

// And back, from du_H in the last of d_us to du_0 in its first; between them the gradients of the sums.
extern "C" __global__ void slot_hops_back(SLOT_HOPS, const real *us, const real *ps, real *d_us,
                                          real *d_scores) {
  DYNAMIC_SHARED(du);
  SlotHops m = SLOT_HOPS_GIVEN;
  real *d_read = du + E, *mapped = d_read + E, *dp = mapped + E, *scratch = dp + M;
  auto matrix = [=](int d, int e) { return C[d * E + e]; };
  size_t last = (size_t)H * B + blockIdx.x;
  store(E, d_us + last * E, du);
  __syncthreads();
  for (int h = H - 1; h >= 0; h--) {
    size_t place = (size_t)h * B + blockIdx.x, table = (size_t)h * from_hop_to_hop;
    auto key = [&](int i, int e) { return slot(m, keys + table, TK, i, e); };
    auto value = [&](int i, int e) { return slot(m, values + table, TV, i, e); };
    for (int e = threadIdx.x; e < E; e += blockDim.x) {
      if (e >= linear_size && !(us[(place + B) * E + e] > 0)) du[e] = 0;
      d_us[(place + B) * E + e] = du[e];
    }
    __syncthreads();
    row_dots(M, E, du, value, dp);
    if (with_softmax) softmax_back(ps + place * M, dp, M);
    store(M, dp, d_scores + place * M);
    column_sums(E, M, dp, key, d_read, scratch);
    if (has_matrix) row_dots(E, E, du, matrix, mapped);
    for (int e = threadIdx.x; e < E; e += blockDim.x)
      du[e] = (has_matrix ? mapped[e] : du[e]) + d_read[e];
    __syncthreads();
  }
  store(E, du, d_us + (size_t)blockIdx.x * E);
}
