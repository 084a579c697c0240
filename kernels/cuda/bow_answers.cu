#include "parts/key_value_hops.cu"

// The most probable word of each question, the lowest of those with the same score. The score of
// the nil word is zero.
extern "C" __global__ void __launch_bounds__(MANY_THREADS, 2)
    answer_words(MEMORY(PARAMETER) int E, int V, const real *output_map, const real *table,
                 long long *words) {
  DYNAMIC_SHARED(shared);
  Memory memory = {MEMORY(VALUE)};
  HopVectors v = hop_vectors(memory, shared);
  real *h = v.others, *scores = h + E;
  Matrix map = {output_map, E}, embedding = {table, E};
  with_slots(memory, v.staging,
             [&](const auto &slots) { hop_forward<false>(memory, slots, Saved(), v); });
  column_sums(E, F, v.u, map, h, v.scratch);
  row_dots(V, E, h, embedding, scores);
  if (threadIdx.x == 0) scores[0] = 0;
  __syncthreads();
  int best = threadIdx.x < V ? threadIdx.x : 0;
  for (int n = best; n < V; n += blockDim.x)
    if (scores[n] > scores[best]) best = n;
  real largest = block_max(scores[best]);
  // Word ids are exact as floats. If no score equals the largest, one of them is NaN: no answer.
  int lowest = (int)-block_max(scores[best] == largest ? -(real)best : -(real)V);
  if (threadIdx.x == 0) words[blockIdx.x] = lowest < V ? lowest : 0;
}
