// A hop by slot, for questions that share few sentences: the sentence of each slot is loaded once.
// One block per question, one warp for some of its slots at a time. Score, weight and weighted sum
// are computed in the same pass; the running sums are rescaled whenever a larger score is found
// (Milakov and Gimelshein 2018). The contributions of the temporal encodings are dense products
// before and after.
#include "parts/sums.cu"

#define COMPONENTS_PER_LANE 16  // of sentences that are loaded together

#define BY_SLOT(FIELD)           \
  FIELD(int, M)                  \
  FIELD(int, D)                  \
  FIELD(const real *, readings)  \
  FIELD(const int *, key_rows)   \
  FIELD(const int *, value_rows) \
  FIELD(const int *, allowed)    \
  FIELD(int, masked)

struct BySlot {
  BY_SLOT(MEMBER)
};

__device__ BySlot of_question(BySlot m) {
  size_t first = (size_t)blockIdx.x * m.M;
  m.key_rows += first, m.value_rows += first, m.allowed += first * m.masked;
  return m;
}

// A lane's columns of a vector: every 32nd.
template <int COLUMNS>
__device__ void columns_of(const real *vector, int D, real *to) {
#pragma unroll
  for (int c = 0; c < COLUMNS; c++) {
    int d = threadIdx.x % WARP + c * WARP;
    to[c] = d < D ? vector[d] : (real)0;
  }
}

// The columns of the sentences of some slots, and the slots' dot products with a vector, added to
// what lane 0 has in `dots`.
template <int SLOTS, int COLUMNS>
__device__ void sentences_and_dots(const BySlot &m, const int *rows, int first, const real *vector,
                                   real (*sentences)[COLUMNS], real *dots) {
#pragma unroll
  for (int n = 0; n < SLOTS; n++)
    columns_of<COLUMNS>(m.readings + (size_t)rows[min(first + n, m.M - 1)] * m.D, m.D,
                        sentences[n]);
#pragma unroll
  for (int n = 0; n < SLOTS; n++)
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) dots[n] += vector[c] * sentences[n][c];
#pragma unroll
  for (int offset = WARP / 2; offset; offset /= 2)
#pragma unroll
    for (int n = 0; n < SLOTS; n++) dots[n] += __shfl_xor_sync(ALL_LANES, dots[n], offset);
}

// Sum the vectors of all warps, each times its factor: out = scale * sum. `sums` has one vector per
// warp.
template <int COLUMNS>
__device__ void sum_of_warps(const real *own, real factor, real scale, int D, real *sums,
                             real *out) {
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
#pragma unroll
  for (int c = 0; c < COLUMNS; c++)
    if (lane + c * WARP < D) sums[warp * D + lane + c * WARP] = factor * own[c];
  __syncthreads();
  for (int d = threadIdx.x; d < D; d += blockDim.x) {
    real sum = 0;
    for (int w = 0; w < (int)blockDim.x / WARP; w++) sum += sums[w * D + d];
    out[d] = scale * sum;
  }
}

// p: on entry the scores of the encodings, on return the weights.
template <int COLUMNS>
__device__ void hop_by_slot(const BySlot &m, const real *w, real *p, real *read, real *shared) {
  constexpr int SLOTS = COMPONENTS_PER_LANE / COLUMNS;
  real *scores = shared, *sums = scores + m.M;
  int lane = threadIdx.x % WARP, step = blockDim.x / WARP * SLOTS;
  real vector[COLUMNS], sum[COLUMNS] = {}, largest = LEAST_SCORE, total = 0;
  columns_of<COLUMNS>(w, m.D, vector);
  for (int first = threadIdx.x / WARP * SLOTS; first < m.M; first += step) {
    real sentences[SLOTS][COLUMNS], score[SLOTS], larger = largest;
    bool counts[SLOTS];
#pragma unroll
    for (int n = 0; n < SLOTS; n++) {
      counts[n] = first + n < m.M && (!m.masked || m.allowed[first + n]);
      score[n] = counts[n] && lane == 0 ? p[first + n] : (real)0;
    }
    sentences_and_dots<SLOTS, COLUMNS>(m, m.key_rows, first, vector, sentences, score);
#pragma unroll
    for (int n = 0; n < SLOTS; n++)
      if (counts[n]) larger = max(larger, score[n]);
    real scale = exp(largest - larger);
    total *= scale, largest = larger;
#pragma unroll
    for (int c = 0; c < COLUMNS; c++) sum[c] *= scale;
#pragma unroll
    for (int n = 0; n < SLOTS; n++) {
      if (first + n >= m.M) break;
      if (lane == 0) scores[first + n] = counts[n] ? score[n] : LEAST_SCORE;
      real weight = counts[n] ? exp(score[n] - largest) : (real)0;
      total += weight;
      if (m.value_rows != m.key_rows)
        columns_of<COLUMNS>(m.readings + (size_t)m.value_rows[first + n] * m.D, m.D, sentences[n]);
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) sum[c] += weight * sentences[n][c];
    }
  }
  real own_largest = largest;
  largest = block_max(largest);
  real factor = exp(own_largest - largest);
  total = block_sum(lane == 0 ? factor * total : (real)0);
  real scale = 1 / max(total, (real)1e-30);  // if no slot is allowed, all p are zero
  sum_of_warps<COLUMNS>(sum, factor, scale, m.D, sums, read);
  for (int i = threadIdx.x; i < m.M; i += blockDim.x)
    p[i] = scores[i] > LEAST_SCORE ? exp(scores[i] - largest) * scale : (real)0;
}

// d_scores: on entry the products of d_read with the encodings, on return the gradient of the
// scores, p (dp - sum_j p_j dp_j). The sum is the product of d_read with what was read, encodings
// included.
template <int COLUMNS>
__device__ void hop_by_slot_backward(const BySlot &m, const real *d_read, const real *read,
                                     const real *p, real *d_scores, real *dw, real *shared) {
  constexpr int SLOTS = COMPONENTS_PER_LANE / COLUMNS;
  int lane = threadIdx.x % WARP, step = blockDim.x / WARP * SLOTS;
  real vector[COLUMNS], was_read[COLUMNS], sum[COLUMNS] = {}, mean = 0;
  columns_of<COLUMNS>(d_read, m.D, vector);
  columns_of<COLUMNS>(read, m.D, was_read);
#pragma unroll
  for (int c = 0; c < COLUMNS; c++) mean += vector[c] * was_read[c];
  for (int offset = WARP / 2; offset; offset /= 2) mean += __shfl_xor_sync(ALL_LANES, mean, offset);
  for (int first = threadIdx.x / WARP * SLOTS; first < m.M; first += step) {
    real sentences[SLOTS][COLUMNS], dp[SLOTS];
#pragma unroll
    for (int n = 0; n < SLOTS; n++)
      dp[n] = first + n < m.M && lane == 0 ? d_scores[first + n] : (real)0;
    sentences_and_dots<SLOTS, COLUMNS>(m, m.value_rows, first, vector, sentences, dp);
#pragma unroll
    for (int n = 0; n < SLOTS; n++) {
      if (first + n >= m.M) break;
      real d_score = p[first + n] * (dp[n] - mean);
      if (lane == 0) d_scores[first + n] = d_score;
      if (m.value_rows != m.key_rows)
        columns_of<COLUMNS>(m.readings + (size_t)m.key_rows[first + n] * m.D, m.D, sentences[n]);
#pragma unroll
      for (int c = 0; c < COLUMNS; c++) sum[c] += d_score * sentences[n][c];
    }
  }
  sum_of_warps<COLUMNS>(sum, 1, 1, m.D, shared, dw);
}

// Call a function for the least number of columns per lane that holds D components; the compiler
// has to know it.
#define IF_WIDE_ENOUGH(columns, function) \
  if (D <= columns * WARP) return function<columns>
#define AS_WIDE_AS_NEEDED(function, arguments) \
  IF_WIDE_ENOUGH(1, function) arguments;       \
  IF_WIDE_ENOUGH(2, function) arguments;       \
  IF_WIDE_ENOUGH(4, function) arguments;       \
  IF_WIDE_ENOUGH(8, function) arguments;

extern "C" __global__ void by_slot(BY_SLOT(PARAMETER) const real *ws, real *ps, real *reads) {
  DYNAMIC_SHARED(shared);
  size_t b = blockIdx.x;
  BySlot m = of_question({BY_SLOT(VALUE)});
  AS_WIDE_AS_NEEDED(hop_by_slot, (m, ws + b * D, ps + b * M, reads + b * D, shared))
}

extern "C" __global__ void by_slot_backward(BY_SLOT(PARAMETER) const real *d_reads,
                                            const real *reads, const real *ps, real *d_scores,
                                            real *dws) {
  DYNAMIC_SHARED(shared);
  size_t b = blockIdx.x;
  BySlot m = of_question({BY_SLOT(VALUE)});
  AS_WIDE_AS_NEEDED(hop_by_slot_backward, (m, d_reads + b * D, reads + b * D, ps + b * M,
                                           d_scores + b * M, dws + b * D, shared))
}
