// Each filled slot's sentence and the number of its time: a question a block. With `most` above 0 its
// times are spread: n of the first n + b places are kept, those whose random numbers are lowest.
extern "C" __global__ void slots_with_times(const int *keys, int M, int sentences, int last, int most,
                                            const int *blank_counts, unsigned purpose,
                                            unsigned key_low, unsigned key_high, long long step,
                                            int *rows) {
  DYNAMIC_SHARED(memory);
  int *chances = (int *)memory, *kept = chances + most;
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
  // A question has most + 1 random words of 23 bits: for its blanks, then for every place.
  auto word = [=](int n) {
    int i = blockIdx.x * (most + 1) + n;
    return (int)(philox(i / 4, purpose, step, key_low, key_high).w[i % 4] >> 9);
  };
  int count = 0;
  if (most) count = filled + (int)((2 * word(0) + 1) * (long long)blank_counts[filled] >> 24);
  for (int place = threadIdx.x; place < count; place += blockDim.x) chances[place] = word(place + 1);
  __syncthreads();
  for (int place = threadIdx.x; place < count; place += blockDim.x) {
    int rank = 0;
    for (int other = 0; other < count; other++)
      rank += chances[other] < chances[place] + (other < place);  // the first of equals is lower
    kept[place] = rank < filled;
  }
  __syncthreads();
  for (int place = threadIdx.x; place < count; place += blockDim.x) {
    int slot = 0;
    for (int before = 0; before < place; before++) slot += kept[before];
    if (kept[place] && keys[slot]) rows[2 * slot + 1] = sentences + min(place, last);
  }
}
