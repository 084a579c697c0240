#include "parts/sums.cu"

// Turn the scores of a question into softmax - onehot(answer), in place, one block per question.
// They are read once for the loss and once more for the gradient: each thread keeps the largest
// score of its words and their sum relative to it. `nil`: whether word 0 is nil; its score is zero
// and it gets no gradient.
extern "C" __global__ void word_cross_entropy(real *scores, const int *answers, real *losses, int V,
                                              int nil) {
  scores += (size_t)blockIdx.x * V;
  int answer = answers[blockIdx.x];
  auto score = [=](int word) { return nil && word == 0 ? (real)0 : scores[word]; };
  real own_largest = LEAST_SCORE, own_total = 0;
#pragma unroll 4
  for (int word = threadIdx.x; word < V; word += blockDim.x) {
    real x = score(word), larger = max(x, own_largest);
    own_total = own_total * exp(own_largest - larger) + exp(x - larger);
    own_largest = larger;
  }
  real largest = block_max(own_largest), of_answer = score(answer) - largest;
  real total =
      block_sum(own_total * exp(own_largest - largest));  // after all read the answer's score
  real factor = 1 / total;
#pragma unroll 4
  for (int word = threadIdx.x; word < V; word += blockDim.x) {
    real x = exp(scores[word] - largest) * factor - (word == answer);
    scores[word] = nil && word == 0 ? (real)0 : x;
  }
  if (threadIdx.x == 0) losses[blockIdx.x] = log(total) - of_answer;
}
