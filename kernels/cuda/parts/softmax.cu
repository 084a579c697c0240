// The softmax over the slots of a question, in place, by one thread block.
#include "parts/sums.cu"

__device__ void softmax(real *p, int M, const int *allowed, int masked) {
  auto counts = [=](int i) { return !masked || allowed[i]; };
  real largest = largest_of(M, LEAST_SCORE, [=](int i) { return counts(i) ? p[i] : LEAST_SCORE; });
  real total = sum_of(M, [=](int i) { return counts(i) ? exp(p[i] - largest) : (real)0; });
  total = max(total, (real)1e-30);  // if no slot is allowed, all p are zero
  __syncthreads();                  // all threads have read the scores
  for (int i = threadIdx.x; i < M; i += blockDim.x)
    p[i] = counts(i) ? exp(p[i] - largest) / total : (real)0;
  __syncthreads();
}

// Turn dp into d_scores = p (dp - sum_j p_j dp_j), in place.
__device__ void softmax_backward(const real *p, real *dp, int M) {
  real mean = sum_of(M, [=](int i) { return p[i] * dp[i]; });
  __syncthreads();  // all threads have read dp
  for (int i = threadIdx.x; i < M; i += blockDim.x) dp[i] = p[i] * (dp[i] - mean);
  __syncthreads();
}
