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

extern "C" __global__ void entropy_rows(real *scores, const int *answers, real *losses, int V) {
  real loss = entropy_row(scores + (size_t)blockIdx.x * V, V, answers[blockIdx.x]);
  if (threadIdx.x == 0) losses[blockIdx.x] = loss;
}
