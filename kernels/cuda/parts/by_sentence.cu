// A hop by sentence. If questions share their sentences, the scores of all sentences and temporal
// encodings are one dense product, and so is the weighted sum of the values. The score of a slot is
// the score of its sentence plus that of its encoding; the weight of a sentence is the sum of the
// weights of the slots that hold it. Rows have `sentences` + M elements. One block per question.
#include "parts/softmax.cu"

// Link the slots of a question that hold the same row: each slot gets the next such slot, or M. For
// slots that are not the first of their chain, the bits of this number are inverted.
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
    if (next < M) follows[next] = 1;  // no other slot has the same next one
  }
  __syncthreads();
  for (int i = threadIdx.x; i < M; i += blockDim.x)
    if (follows[i]) chains[i] = ~chains[i];
}

// x_i = y_(sentence of i) + y_(encoding i)
__device__ void fill_slots(const real *y, int sentences, const int *rows, int M, real *x) {
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

// Softmax of the scores by key sentence, to weights by value sentence.
extern "C" __global__ void softmax_by_sentence(int M, int sentences, const real *scores,
                                               const int *key_rows, const int *allowed, int masked,
                                               const int *value_rows, const int *value_chains,
                                               real *weights) {
  DYNAMIC_SHARED(p);
  size_t b = blockIdx.x, first = b * (sentences + M);
  fill_slots(scores + first, sentences, key_rows + b * M, M, p);
  softmax(p, M, allowed + b * M * masked, masked);
  sum_by_sentence(p, sentences, value_rows + b * M, value_chains + b * M, M, weights + first);
}

// The gradient of the scores, given that of the weights.
extern "C" __global__ void softmax_by_sentence_backward(int M, int sentences, const real *d_weights,
                                                        const int *value_rows, const real *weights,
                                                        const int *key_rows, const int *key_chains,
                                                        real *d_scores) {
  DYNAMIC_SHARED(dp);
  size_t b = blockIdx.x, first = b * (sentences + M);
  fill_slots(d_weights + first, sentences, value_rows + b * M, M, dp);
  softmax_backward(weights + first + sentences, dp, M);
  sum_by_sentence(dp, sentences, key_rows + b * M, key_chains + b * M, M, d_scores + first);
}
