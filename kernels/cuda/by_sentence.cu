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
