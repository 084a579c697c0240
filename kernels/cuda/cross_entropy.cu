// Turn a question's scores into ``softmax - onehot(answer)``, in place, and return its loss. The nil
// word scores zero, whatever its embedding holds, and passes no gradient on.
__device__ real entropy_row(real *scores, int V, int answer) {
  if (threadIdx.x == 0) scores[0] = 0;
  __syncthreads();
  real largest = scores[0];
  for (int word = threadIdx.x; word < V; word += blockDim.x) largest = max(largest, scores[word]);
  largest = block_max(largest);
  real of_answer = scores[answer] - largest, total = 0;
  __syncthreads();  // everybody has read the answer's score
  for (int word = threadIdx.x; word < V; word += blockDim.x) {
    scores[word] = exp(scores[word] - largest);
    total += scores[word];
  }
  total = block_sum(total);
  for (int word = threadIdx.x; word < V; word += blockDim.x)
    scores[word] = word ? scores[word] / total - (word == answer) : (real)0;
  __syncthreads();
  return log(total) - of_answer;
}

// The same for many words, in memory: read once for the loss, once more for the gradient. Each
// thread keeps its words' largest score and their sum on its scale. `nil`: whether word 0 is nil.
extern "C" __global__ void entropy_rows(real *scores, const int *answers, real *losses, int V,
                                        int nil) {
  scores += (size_t)blockIdx.x * V;
  int answer = answers[blockIdx.x];
  auto score = [=](int word) { return nil && word == 0 ? (real)0 : scores[word]; };
  real own_largest = NOTHING, own_total = 0;
#pragma unroll 4
  for (int word = threadIdx.x; word < V; word += blockDim.x) {
    real x = score(word), larger = max(x, own_largest);
    own_total = own_total * exp(own_largest - larger) + exp(x - larger);
    own_largest = larger;
  }
  real largest = block_max(own_largest), of_answer = score(answer) - largest;
  real total = block_sum(own_total * exp(own_largest - largest));  // all have read the answer's
  real share = 1 / total;
#pragma unroll 4
  for (int word = threadIdx.x; word < V; word += blockDim.x) {
    real x = exp(scores[word] - largest) * share - (word == answer);
    scores[word] = nil && word == 0 ? (real)0 : x;
  }
  if (threadIdx.x == 0) losses[blockIdx.x] = log(total) - of_answer;
}
