// The sentence and the time of each filled slot, one block per question. With `most` above 0 the
// times have gaps: of the first n + b times, n are kept, those with the lowest random numbers.
#include "parts/philox.cu"

extern "C" __global__ void slots_with_times(const int *keys, int M, int sentences, int last,
                                            int most, const int *gap_counts, unsigned purpose,
                                            unsigned key_low, unsigned key_high, long long step,
                                            int *rows) {
  DYNAMIC_SHARED(shared);
  int *chances = (int *)shared, *kept = chances + most;
  __shared__ int filled;
  keys += blockIdx.x * M, rows += 2 * blockIdx.x * M;
  if (threadIdx.x == 0) {
    filled = 0;
    for (int i = 0; i < M; i++) filled += keys[i] != 0;
  }
  for (int i = threadIdx.x; i < M; i += blockDim.x) {
    rows[2 * i] = keys[i];
    rows[2 * i + 1] = keys[i] ? sentences + (most ? last : i) : 0;
  }
  __syncthreads();
  // A question has most + 1 random words of 23 bits: one for its number of gaps, one per time.
  auto word = [=](int n) {
    int i = blockIdx.x * (most + 1) + n;
    return (int)(philox(i / 4, purpose, step, key_low, key_high).w[i % 4] >> 9);
  };
  int count = 0;
  if (most) count = filled + (int)((2 * word(0) + 1) * (long long)gap_counts[filled] >> 24);
  for (int time = threadIdx.x; time < count; time += blockDim.x) chances[time] = word(time + 1);
  __syncthreads();
  for (int time = threadIdx.x; time < count; time += blockDim.x) {
    int rank = 0;
    for (int other = 0; other < count; other++)
      rank += chances[other] < chances[time] + (other < time);  // of equals, the first is lower
    kept[time] = rank < filled;
  }
  __syncthreads();
  for (int time = threadIdx.x; time < count; time += blockDim.x) {
    int slot = 0;
    for (int before = 0; before < time; before++) slot += kept[before];
    if (kept[time] && keys[slot]) rows[2 * slot + 1] = sentences + min(time, last);
  }
}
