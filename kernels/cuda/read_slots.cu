// All hops of one question in one block: its vectors stay in shared memory. What matrices' gradients
// are made from goes to memory, hop by hop: (hops, B, ...).

struct Memory {
  int B, M, D, F, H;
  const real *query, *keys, *values, *TK, *TV, *A, *R;
  const int *key_rows, *value_rows;
  const bool *allowed;
  bool masked;
};

struct Left {  // by the way there
  real *us, *ws, *ps, *reads, *ss;
};

struct Back {  // by the way back
  real *dus, *dss, *d_reads, *d_scores, *dws, *d_query;
};

struct Vectors {  // in shared memory
  real *u, *s, *w, *read, *p, *scratch;
};

__device__ Vectors vectors_of(const Memory &memory, real *shared) {
  Vectors v;
  v.u = shared, v.s = v.u + memory.F, v.w = v.s + memory.F, v.read = v.w + memory.D;
  v.p = v.read + memory.D, v.scratch = v.p + memory.M;
  return v;
}

__device__ void softmax(real *p, int M, const bool *allowed, bool masked) {
  real largest = -1e30f;
  for (int i = threadIdx.x; i < M; i += blockDim.x)
    if (!masked || allowed[i]) largest = max(largest, p[i]);
  largest = block_max(largest);
  real total = 0;
  for (int i = threadIdx.x; i < M; i += blockDim.x) {
    p[i] = !masked || allowed[i] ? exp(p[i] - largest) : (real)0;
    total += p[i];
  }
  total = max(block_sum(total), (real)1e-30);  // nothing allowed: all zero
  for (int i = threadIdx.x; i < M; i += blockDim.x) p[i] /= total;
  __syncthreads();
}

// Turn dp into d_scores = p (dp - sum_j p_j dp_j), in place.
__device__ void softmax_back(const real *p, real *dp, int M) {
  real mean = 0;
  for (int i = threadIdx.x; i < M; i += blockDim.x) mean += p[i] * dp[i];
  mean = block_sum(mean);
  for (int i = threadIdx.x; i < M; i += blockDim.x) dp[i] = p[i] * (dp[i] - mean);
  __syncthreads();
}

// Hop; u_H is left in v.u. A stands on the query's side: u · k Aᵀ = (u A) · k.
__device__ void hop_there(const Memory &memory, const Left &left, const Vectors &v) {
  int b = blockIdx.x, B = memory.B, M = memory.M, D = memory.D, F = memory.F;
  auto A = [&](int f, int d) { return memory.A[f * D + d]; };
  auto key = [&](int i, int d) {
    return memory.TK[i * D + d] + memory.keys[memory.key_rows[b * M + i] * D + d];
  };
  auto value = [&](int i, int d) {
    return memory.TV[i * D + d] + memory.values[memory.value_rows[b * M + i] * D + d];
  };
  row_dots(F, D, memory.query + b * D, A, v.u);
  for (int h = 0; h < memory.H; h++) {
    int place = h * B + b;
    store(F, v.u, left.us + place * F);
    column_sums(D, F, v.u, A, v.w, v.scratch);
    store(D, v.w, left.ws + place * D);
    row_dots(M, D, v.w, key, v.p);
    softmax(v.p, M, memory.allowed + b * M * memory.masked, memory.masked);
    store(M, v.p, left.ps + place * M);
    column_sums(D, M, v.p, value, v.read, v.scratch);
    store(D, v.read, left.reads + place * D);
    row_dots(F, D, v.read, A, v.s);
    add_to(F, v.u, v.s);  // s = u + o
    store(F, v.s, left.ss + place * F);
    auto R = [&](int g, int f) { return memory.R[(h * F + g) * F + f]; };
    row_dots(F, F, v.s, R, v.u);
  }
}

// Go back through the hops from du in v.u. v.s holds ds, v.read d_read, v.w dw, v.p d_scores.
__device__ void hop_back(const Memory &memory, const Left &left, const Back &back,
                         const Vectors &v) {
  int b = blockIdx.x, B = memory.B, M = memory.M, D = memory.D, F = memory.F;
  auto A = [&](int f, int d) { return memory.A[f * D + d]; };
  auto key = [&](int i, int d) {
    return memory.TK[i * D + d] + memory.keys[memory.key_rows[b * M + i] * D + d];
  };
  auto value = [&](int i, int d) {
    return memory.TV[i * D + d] + memory.values[memory.value_rows[b * M + i] * D + d];
  };
  for (int h = memory.H - 1; h >= 0; h--) {
    int place = h * B + b;
    auto R = [&](int g, int f) { return memory.R[(h * F + g) * F + f]; };
    store(F, v.u, back.dus + place * F);
    column_sums(F, F, v.u, R, v.s, v.scratch);
    store(F, v.s, back.dss + place * F);
    column_sums(D, F, v.s, A, v.read, v.scratch);
    store(D, v.read, back.d_reads + place * D);
    row_dots(M, D, v.read, value, v.p);
    softmax_back(left.ps + place * M, v.p, M);
    store(M, v.p, back.d_scores + place * M);
    column_sums(D, M, v.p, key, v.w, v.scratch);
    store(D, v.w, back.dws + place * D);
    row_dots(F, D, v.w, A, v.u);
    add_to(F, v.s, v.u);  // u goes into the scores and into the sum s
  }
  // What has come out at u_0 stands behind the hops' u, as the query behind their dw.
  store(F, v.u, left.us + (memory.H * B + b) * F);
  store(D, memory.query + b * D, back.dws + (memory.H * B + b) * D);
  column_sums(D, F, v.u, A, v.w, v.scratch);
  store(D, v.w, back.d_query + b * D);
}

#define MEMORY                                                                                   \
  int B, int M, int D, int F, int H, const real *query, const real *keys, const real *values,    \
      const real *TK, const real *TV, const real *A, const real *R, const int *key_rows,         \
      const int *value_rows, const bool *allowed, int masked
#define MEMORY_GIVEN                                                                             \
  {B, M, D, F, H, query, keys, values, TK, TV, A, R, key_rows, value_rows, allowed, masked != 0}
#define LEFT real *us, real *ws, real *ps, real *reads, real *ss
#define BACK                                                                                     \
  real *dus, real *dss, real *d_reads, real *d_scores, real *dws, real *d_query

extern "C" __global__ void read_slots(MEMORY, LEFT, real *u) {
  DYNAMIC_SHARED(shared);
  Memory memory = MEMORY_GIVEN;
  Vectors v = vectors_of(memory, shared);
  hop_there(memory, {us, ws, ps, reads, ss}, v);
  store(F, v.u, u + blockIdx.x * F);
}

extern "C" __global__ void read_slots_back(MEMORY, LEFT, BACK, const real *du) {
  DYNAMIC_SHARED(shared);
  Memory memory = MEMORY_GIVEN;
  Vectors v = vectors_of(memory, shared);
  store(F, du + blockIdx.x * F, v.u);
  __syncthreads();
  hop_back(memory, {us, ws, ps, reads, ss}, {dus, dss, d_reads, d_scores, dws, d_query}, v);
}

// To the answer's loss and back: h = u B, scores = h Wᵀ, and their gradients.
extern "C" __global__ void answer_loss(MEMORY, LEFT, BACK, int E, int V, const real *output_map,
                                       const real *table, const int *answers, real *u, real *hs,
                                       real *d_scores_of_words, real *dhs, real *losses) {
  DYNAMIC_SHARED(shared);
  Memory memory = MEMORY_GIVEN;
  Left left = {us, ws, ps, reads, ss};
  Vectors v = vectors_of(memory, shared);
  real *h = v.scratch + blockDim.x, *scores = h + E;
  int b = blockIdx.x;
  auto map = [&](int f, int e) { return output_map[f * E + e]; };
  auto word = [&](int word, int e) { return table[word * E + e]; };
  hop_there(memory, left, v);
  store(F, v.u, u + b * F);
  column_sums(E, F, v.u, map, h, v.scratch);
  store(E, h, hs + b * E);
  row_dots(V, E, h, word, scores);
  real loss = entropy_row(scores, V, answers[b]);
  if (threadIdx.x == 0) losses[b] = loss;
  store(V, scores, d_scores_of_words + b * V);
  column_sums(E, V, scores, word, h, v.scratch);  // from here on, h is its own gradient
  store(E, h, dhs + b * E);
  row_dots(F, E, h, map, v.u);
  hop_back(memory, left, {dus, dss, d_reads, d_scores, dws, d_query}, v);
}
