// Slots by the sentence that they hold. Where questions share their sentences, scores of all sentences
// and temporal encodings are one dense product, and so is what is read: a slot's score is its
// sentence's and its encoding's, and slots that hold the same sentence give it their weights' sum.
// Numbers stand in rows of `sentences` + M. A block works on a question.

// Chain the slots of a question that hold the same row: the next one of each, or M. Slots that are
// not the first of their chain have it negated, bit by bit.
extern "C" __global__ void chain_slots(const int *rows, int M, int *chains) {
  DYNAMIC_SHARED(shared);
  int *held = (int *)shared, *follows = held + M;
  rows += (size_t)blockIdx.x * M, chains += (size_t)blockIdx.x * M;
  for (int i = threadIdx.x; i < M; i += blockDim.x) held[i] = rows[i], follows[i] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < M; i += blockDim.x) {
    int next = i + 1;
    while (next < M && held[next] != held[i]) next++;
    chains[i] = next;
    if (next < M) follows[next] = 1;  // of one slot alone
  }
  __syncthreads();
  for (int i = threadIdx.x; i < M; i += blockDim.x)
    if (follows[i]) chains[i] = ~chains[i];
}

// x_i = y_(sentence of i) + y_(encoding i)
__device__ void slots_of(const real *y, int sentences, const int *rows, int M, real *x) {
  for (int i = threadIdx.x; i < M; i += blockDim.x) x[i] = y[rows[i]] + y[sentences + i];
  __syncthreads();
}

// y_u = sum of x_i over the slots that hold sentence u, in their order; y_(encoding i) = x_i
__device__ void sum_by_sentence(const real *x, int sentences, const int *rows, const int *chains,
                                int M, real *y) {
  for (int u = threadIdx.x; u < sentences; u += blockDim.x) y[u] = 0;
  __syncthreads();
  for (int i = threadIdx.x; i < M; i += blockDim.x) {
    y[sentences + i] = x[i];
    if (chains[i] < 0) continue;
    real sum = x[i];
    for (int n = chains[i]; n < M; n = ~chains[n]) sum += x[n];
    y[rows[i]] = sum;
  }
}

// Softmax of scores by sentence of keys, to weights by sentence of values.
extern "C" __global__ void softmax_by_sentence(int M, const real *scores, int key_sentences,
                                               const int *key_rows, const int *allowed, int masked,
                                               int value_sentences, const int *value_rows,
                                               const int *value_chains, real *weights) {
  DYNAMIC_SHARED(p);
  size_t b = blockIdx.x;
  slots_of(scores + b * (key_sentences + M), key_sentences, key_rows + b * M, M, p);
  softmax(p, M, allowed + b * M * (masked != 0), masked != 0);
  sum_by_sentence(p, value_sentences, value_rows + b * M, value_chains + b * M, M,
                  weights + b * (value_sentences + M));
}

// And back, from the weights' gradient to the scores'.
extern "C" __global__ void softmax_by_sentence_back(int M, const real *d_weights,
                                                    int value_sentences, const int *value_rows,
                                                    const real *weights, int key_sentences,
                                                    const int *key_rows, const int *key_chains,
                                                    real *d_scores) {
  DYNAMIC_SHARED(dp);
  size_t b = blockIdx.x, given = b * (value_sentences + M);
  slots_of(d_weights + given, value_sentences, value_rows + b * M, M, dp);
  softmax_back(weights + given + value_sentences, dp, M);
  sum_by_sentence(dp, key_sentences, key_rows + b * M, key_chains + b * M, M,
                  d_scores + b * (key_sentences + M));
}

// From what a hop reads to what the next one asks: s = u + read Aᵀ, u' = s Rᵀ, w' = u' A. The matrices
// stay in a multiprocessor's cache.
extern "C" __global__ void between_hops(int D, int F, const real *us, const real *reads,
                                        const real *A, const real *R, real *ss, real *us_after,
                                        real *ws_after) {
  DYNAMIC_SHARED(read);
  real *u = read + D, *s = u + F, *w = s + F, *scratch = w + D;
  size_t b = blockIdx.x;
  auto of_A = [=](int f, int d) { return A[f * D + d]; };
  auto of_R = [=](int g, int f) { return R[g * F + f]; };
  store(D, reads + b * D, read), store(F, us + b * F, u);
  __syncthreads();
  row_dots(F, D, read, of_A, s);
  add_to(F, u, s);
  store(F, s, ss + b * F);
  row_dots(F, F, s, of_R, u);
  store(F, u, us_after + b * F);
  column_sums(D, F, u, of_A, w, scratch);
  store(D, w, ws_after + b * D);
}

// And back, from a hop's ds and dw to the hop before: du = ds + dw Aᵀ, ds = du R, d_read = ds A.
extern "C" __global__ void between_hops_back(int D, int F, const real *dss, const real *dws,
                                             const real *A, const real *R, real *dus,
                                             real *dss_before, real *d_reads_before) {
  DYNAMIC_SHARED(dw);
  real *ds = dw + D, *du = ds + F, *d_read = du + F, *scratch = d_read + D;
  size_t b = blockIdx.x;
  auto of_A = [=](int f, int d) { return A[f * D + d]; };
  auto of_R = [=](int g, int f) { return R[g * F + f]; };
  store(D, dws + b * D, dw), store(F, dss + b * F, ds);
  __syncthreads();
  row_dots(F, D, dw, of_A, du);
  add_to(F, ds, du);  // u goes into the scores and into the sum s
  store(F, du, dus + b * F);
  column_sums(F, F, du, of_R, ds, scratch);
  store(F, ds, dss_before + b * F);
  column_sums(D, F, ds, of_A, d_read, scratch);
  store(D, d_read, d_reads_before + b * D);
}
