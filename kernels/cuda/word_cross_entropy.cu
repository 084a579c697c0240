#include "parts/sums.cu"

// Turn the scores of a question into softmax - onehot(answer), in place, one block per question.
// They are read once for the loss and once more for the gradient: each thread keeps the largest
// score of its words and their sum relative to it. Returns the loss.
template <bool ALIGNED>
__device__ real cross_entropy_in_place(real *scores, int V, int answer, bool nil) {
  auto load = [=](int first) {
    Four four = load_four<ALIGNED>(scores, first, V);
    if (nil && first == 0) four.x[0] = 0;
    for (int c = 0; c < 4; c++)
      if (first + c >= V) four.x[c] = LEAST_SCORE;
    return four;
  };
  real own_largest = LEAST_SCORE, own_total = 0;
#pragma unroll 2
  for (int first = 4 * threadIdx.x; first < V; first += 4 * blockDim.x) {
    Four s = load(first);
    real larger = max(max(max(s.x[0], s.x[1]), max(s.x[2], s.x[3])), own_largest);
    own_total *= exp(own_largest - larger), own_largest = larger;
    for (int c = 0; c < 4; c++) own_total += exp(s.x[c] - larger);
  }
  real largest = block_max(own_largest);
  real of_answer = (nil && answer == 0 ? (real)0 : scores[answer]) - largest;
  real total =
      block_sum(own_total * exp(own_largest - largest));  // after all read the answer's score
  real factor = 1 / total;
#pragma unroll 2
  for (int first = 4 * threadIdx.x; first < V; first += 4 * blockDim.x) {
    Four s = load(first);
    for (int c = 0; c < 4; c++)
      s.x[c] = exp(s.x[c] - largest) * factor - (first + c == answer ? (real)1 : (real)0);
    if (nil && first == 0) s.x[0] = 0;
    store_four<ALIGNED>(s, scores, first, V);
  }
  return log(total) - of_answer;
}

// `nil`: whether word 0 is nil; its score is zero and it gets no gradient.
extern "C" __global__ void word_cross_entropy(real *scores, const int *answers, real *losses, int V,
                                              int nil) {
  scores += (size_t)blockIdx.x * V;
  int answer = answers[blockIdx.x];
  real loss = are_aligned(V, scores, scores)
                  ? cross_entropy_in_place<true>(scores, V, answer, nil)
                  : cross_entropy_in_place<false>(scores, V, answer, nil);
  if (threadIdx.x == 0) losses[blockIdx.x] = loss;
}
