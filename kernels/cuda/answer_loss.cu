#include "parts/key_value_hops.cu"

// Turn the scores of a question into softmax - onehot(answer), in place, and return its loss. The
// score of the nil word is zero, whatever its embedding contains, and it gets no gradient.
__device__ real cross_entropy(real *scores, int V, int answer) {
  if (threadIdx.x == 0) scores[0] = 0;
  __syncthreads();
  real largest = largest_of(V, LEAST_SCORE, [=](int word) { return scores[word]; });
  real total = sum_of(V, [=](int word) { return exp(scores[word] - largest); });
  real of_answer = scores[answer] - largest;
  __syncthreads();  // all threads have read the scores
  for (int word = threadIdx.x; word < V; word += blockDim.x)
    scores[word] = word ? exp(scores[word] - largest) / total - (word == answer) : (real)0;
  __syncthreads();
  return log(total) - of_answer;
}

// The loss of the answers and the whole backward pass: h = u B, scores = h Wᵀ, and their gradients.
extern "C" __global__ void __launch_bounds__(MANY_THREADS, 2)
    answer_loss(MEMORY(PARAMETER) SAVED(PARAMETER) STRIDES(PARAMETER) int E, int V,
                const real *output_map, const real *table, const int *answers, real *us, real *hs,
                real *dhs, real *d_word_scores, real *losses) {
  HOPS_OF_MODEL
  output_map = of_model(output_map, parameter_stride), table = of_model(table, parameter_stride);
  answers = of_model(answers, batch_stride), losses = of_model(losses, B);
  us = of_model(us, B * F), hs = of_model(hs, B * E), dhs = of_model(dhs, B * E);
  d_word_scores = of_model(d_word_scores, B * V);
  real *h = v.others, *scores = h + E;
  int b = blockIdx.x;
  Matrix map = {output_map, E}, embedding = {table, E};
  with_slots(memory, v.staging, [&](const auto &slots) {
    hop_forward<true>(memory, slots, saved, v);
    store(F, v.u, us + b * F);
    column_sums(E, F, v.u, map, h, v.scratch);
    store(E, h, hs + b * E);
    row_dots(V, E, h, embedding, scores);
    real loss = cross_entropy(scores, V, answers[b]);
    if (threadIdx.x == 0) losses[b] = loss;
    store(V, scores, d_word_scores + b * V);
    column_sums(E, V, scores, embedding, h, v.scratch);  // h becomes its own gradient
    store(E, h, dhs + b * E);
    row_dots(F, E, h, map, v.u);
    hop_backward(memory, slots, saved, v);
  });
}
