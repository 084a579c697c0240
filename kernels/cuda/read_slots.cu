// All hops of one question in one block: its vectors stay in shared memory. What matrices' gradients
// are made from goes to memory, hop by hop: (hops, B, ...). Grid: questions, then starts.

#define QUESTION_THREADS 512  // most rows of a small memory or matrix are worked on side by side

struct Memory {
  int B, M, D, F, H;
  const real *query, *sentences, *TK, *TV, *A, *R;
  const int *key_rows, *value_rows, *allowed;
  bool masked;
};

struct Kept {  // by the way there: us, ws, ps, reads, ss; by the way back: the gradients
  real *us, *ws, *ps, *reads, *ss, *dus, *dss, *d_reads, *d_scores, *dws, *d_query;
};

// Rows in which a start's part of an array stands, and how long they are.
struct Strides {
  int parameters, batch, readings;
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

__device__ Memory of_start(Memory memory, const Strides &strides) {
  memory.TK = of_start(memory.TK, strides.parameters);
  memory.TV = of_start(memory.TV, strides.parameters);
  memory.A = of_start(memory.A, strides.parameters);
  memory.R = of_start(memory.R, strides.parameters);
  memory.query = of_start(memory.query, strides.readings);
  memory.sentences = of_start(memory.sentences, strides.readings);
  memory.key_rows = of_start(memory.key_rows, strides.batch);
  memory.value_rows = of_start(memory.value_rows, strides.batch);
  memory.allowed = of_start(memory.allowed, strides.batch);
  return memory;
}

// The factors of A's gradient stand one under the other: ds, u and du_0; reads, dw and the query.
__device__ Kept kept_of_start(const Memory &memory, const Strides &strides, real *into_A,
                              real *out_of_A, real *ws, real *ps, real *ss, real *dus,
                              real *d_reads, real *d_scores, real *d_query) {
  size_t hops = memory.H * memory.B, D = memory.D, F = memory.F, M = memory.M;
  into_A = of_start(into_A, (2 * hops + memory.B) * F);
  out_of_A = of_start(out_of_A, (2 * hops + memory.B) * D);
  Kept kept;
  kept.us = into_A + hops * F, kept.ws = of_start(ws, hops * D), kept.ps = of_start(ps, hops * M);
  kept.reads = out_of_A, kept.ss = of_start(ss, hops * F), kept.dus = of_start(dus, hops * F);
  kept.dss = into_A, kept.d_reads = of_start(d_reads, hops * D);
  kept.d_scores = of_start(d_scores, hops * M), kept.dws = out_of_A + hops * D;
  kept.d_query = of_start(d_query, strides.readings);
  return kept;
}

__device__ void softmax(real *p, int M, const int *allowed, bool masked) {
  auto counts = [=](int i) { return !masked || allowed[i]; };
  real largest = largest_of(M, NOTHING, [=](int i) { return counts(i) ? p[i] : NOTHING; });
  real total = sum_of(M, [=](int i) { return counts(i) ? exp(p[i] - largest) : (real)0; });
  total = max(total, (real)1e-30);  // nothing allowed: all zero
  __syncthreads();  // everybody has read the scores
  for (int i = threadIdx.x; i < M; i += blockDim.x)
    p[i] = counts(i) ? exp(p[i] - largest) / total : (real)0;
  __syncthreads();
}

// Turn dp into d_scores = p (dp - sum_j p_j dp_j), in place.
__device__ void softmax_back(const real *p, real *dp, int M) {
  real mean = sum_of(M, [=](int i) { return p[i] * dp[i]; });
  __syncthreads();  // everybody has read dp
  for (int i = threadIdx.x; i < M; i += blockDim.x) dp[i] = p[i] * (dp[i] - mean);
  __syncthreads();
}

// Hop; u_H is left in v.u. A stands on the query's side: u · k Aᵀ = (u A) · k.
template <bool keep>
__device__ void hop_there(const Memory &memory, const Kept &kept, const Vectors &v) {
  int b = blockIdx.x, B = memory.B, M = memory.M, D = memory.D, F = memory.F;
  auto A = [&](int f, int d) { return memory.A[f * D + d]; };
  auto key = [&](int i, int d) {
    return memory.TK[i * D + d] + memory.sentences[memory.key_rows[b * M + i] * D + d];
  };
  auto value = [&](int i, int d) {
    return memory.TV[i * D + d] + memory.sentences[memory.value_rows[b * M + i] * D + d];
  };
  row_dots(F, D, memory.query + b * D, A, v.u);
  for (int h = 0; h < memory.H; h++) {
    int place = h * B + b;
    if (keep) store(F, v.u, kept.us + place * F);
    column_sums(D, F, v.u, A, v.w, v.scratch);
    if (keep) store(D, v.w, kept.ws + place * D);
    row_dots(M, D, v.w, key, v.p);
    softmax(v.p, M, memory.allowed + b * M * memory.masked, memory.masked);
    if (keep) store(M, v.p, kept.ps + place * M);
    column_sums(D, M, v.p, value, v.read, v.scratch);
    if (keep) store(D, v.read, kept.reads + place * D);
    row_dots(F, D, v.read, A, v.s);
    add_to(F, v.u, v.s);  // s = u + o
    if (keep) store(F, v.s, kept.ss + place * F);
    auto R = [&](int g, int f) { return memory.R[(h * F + g) * F + f]; };
    row_dots(F, F, v.s, R, v.u);
  }
}

// Go back through the hops from du in v.u. v.s holds ds, v.read d_read, v.w dw, v.p d_scores.
__device__ void hop_back(const Memory &memory, const Kept &kept, const Vectors &v) {
  int b = blockIdx.x, B = memory.B, M = memory.M, D = memory.D, F = memory.F;
  auto A = [&](int f, int d) { return memory.A[f * D + d]; };
  auto key = [&](int i, int d) {
    return memory.TK[i * D + d] + memory.sentences[memory.key_rows[b * M + i] * D + d];
  };
  auto value = [&](int i, int d) {
    return memory.TV[i * D + d] + memory.sentences[memory.value_rows[b * M + i] * D + d];
  };
  for (int h = memory.H - 1; h >= 0; h--) {
    int place = h * B + b;
    auto R = [&](int g, int f) { return memory.R[(h * F + g) * F + f]; };
    store(F, v.u, kept.dus + place * F);
    column_sums(F, F, v.u, R, v.s, v.scratch);
    store(F, v.s, kept.dss + place * F);
    column_sums(D, F, v.s, A, v.read, v.scratch);
    store(D, v.read, kept.d_reads + place * D);
    row_dots(M, D, v.read, value, v.p);
    softmax_back(kept.ps + place * M, v.p, M);
    store(M, v.p, kept.d_scores + place * M);
    column_sums(D, M, v.p, key, v.w, v.scratch);
    store(D, v.w, kept.dws + place * D);
    row_dots(F, D, v.w, A, v.u);
    add_to(F, v.s, v.u);  // u goes into the scores and into the sum s
  }
  // What has come out at u_0 stands behind the hops' u, as the query behind their dw.
  store(F, v.u, kept.us + (memory.H * B + b) * F);
  store(D, memory.query + b * D, kept.dws + (memory.H * B + b) * D);
  column_sums(D, F, v.u, A, v.w, v.scratch);
  store(D, v.w, kept.d_query + b * D);
}

#define MEMORY                                                                                   \
  int B, int M, int D, int F, int H, const real *query, const real *sentences, const real *TK,  \
      const real *TV, const real *A, const real *R, const int *key_rows, const int *value_rows,  \
      const int *allowed, int masked
#define MEMORY_GIVEN                                                                             \
  {B, M, D, F, H, query, sentences, TK, TV, A, R, key_rows, value_rows, allowed, masked != 0}
#define KEPT                                                                                     \
  real *into_A, real *out_of_A, real *ws, real *ps, real *ss, real *dus, real *d_reads,          \
      real *d_scores, real *d_query
#define STRIDES int parameters, int batch, int readings
#define OF_START                                                                                 \
  DYNAMIC_SHARED(shared);                                                                        \
  Strides strides = {parameters, batch, readings};                                               \
  Memory memory = of_start(MEMORY_GIVEN, strides);                                               \
  Kept kept = kept_of_start(memory, strides, into_A, out_of_A, ws, ps, ss, dus, d_reads,         \
                            d_scores, d_query);                                                  \
  Vectors v = vectors_of(memory, shared);

extern "C" __global__ void __launch_bounds__(QUESTION_THREADS)
    read_slots(MEMORY, KEPT, STRIDES, real *u) {
  OF_START
  hop_there<true>(memory, kept, v);
  store(F, v.u, u + blockIdx.x * F);
}

extern "C" __global__ void __launch_bounds__(QUESTION_THREADS)
    read_slots_back(MEMORY, KEPT, STRIDES, const real *du) {
  OF_START
  store(F, du + blockIdx.x * F, v.u);
  __syncthreads();
  hop_back(memory, kept, v);
}

// To the answer's loss and back: h = u B, scores = h Wᵀ, and their gradients.
extern "C" __global__ void __launch_bounds__(QUESTION_THREADS)
    answer_loss(MEMORY, KEPT, STRIDES, int E, int V, const real *output_map,
                                       const real *table, const int *answers, real *u, real *hs,
                                       real *d_scores_of_words, real *dhs, real *losses) {
  OF_START
  output_map = of_start(output_map, parameters), table = of_start(table, parameters);
  answers = of_start(answers, batch);
  u = of_start(u, B * F), hs = of_start(hs, B * E), dhs = of_start(dhs, B * E);
  d_scores_of_words = of_start(d_scores_of_words, B * V), losses = of_start(losses, B);
  real *h = v.scratch + blockDim.x, *scores = h + E;
  int b = blockIdx.x;
  auto map = [&](int f, int e) { return output_map[f * E + e]; };
  auto word = [&](int word, int e) { return table[word * E + e]; };
  hop_there<true>(memory, kept, v);
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
  hop_back(memory, kept, v);
}

// The most probable word of every question, the lowest where several are. The nil word scores zero.
extern "C" __global__ void __launch_bounds__(QUESTION_THREADS)
    answer_words(MEMORY, int E, int V, const real *output_map,
                                        const real *table, long long *words) {
  DYNAMIC_SHARED(shared);
  Memory memory = MEMORY_GIVEN;
  Vectors v = vectors_of(memory, shared);
  real *h = v.scratch + blockDim.x, *scores = h + E;
  auto map = [&](int f, int e) { return output_map[f * E + e]; };
  auto word = [&](int word, int e) { return table[word * E + e]; };
  hop_there<false>(memory, Kept(), v);
  column_sums(E, F, v.u, map, h, v.scratch);
  row_dots(V, E, h, word, scores);
  if (threadIdx.x == 0) scores[0] = 0;
  __syncthreads();
  int best = threadIdx.x < V ? threadIdx.x : 0;
  for (int n = best; n < V; n += blockDim.x)
    if (scores[n] > scores[best]) best = n;
  real largest = block_max(scores[best]);
  // Whole numbers up to the vocabulary's size are exact; where no number is the largest, there is
  // a NaN among them, and no answer.
  int lowest = (int)-block_max(scores[best] == largest ? -(real)best : -(real)V);
  if (threadIdx.x == 0) words[blockIdx.x] = lowest < V ? lowest : 0;
}
