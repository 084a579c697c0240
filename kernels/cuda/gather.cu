// The gradient of a row that is used in many places: each row gathers from the places that hold it,
// in their order. A block makes up to 128 columns of one row. Where the places are few, each block
// looks through all of them; where they are many, they come sorted.

#define COLUMNS_A_BLOCK 128

// List which of the next blockDim places hold a row, in order.
__device__ int places_holding(int row, const int *held, int first, int count, int *list) {
  __shared__ int found[WARP];
  int place = first + threadIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  bool holds = place < count && held[place] == row;
  unsigned ballot = __ballot_sync(ALL_LANES, holds);
  __syncthreads();  // the list before may still be read
  if (lane == 0) found[warp] = __popc(ballot);
  __syncthreads();
  int before = 0, total = 0;
  for (int w = 0; w < (int)blockDim.x / WARP; w++) {
    if (w < warp) before += found[w];
    total += found[w];
  }
  if (holds) list[before + __popc(ballot & ((1u << lane) - 1))] = place;
  __syncthreads();
  return total;
}

// d_row_c = sum over places of term(place, c). `order` and `starts` list the places sorted by row.
template <class Term>
__device__ void gather(bool sorted, const int *held, int count, const long long *order,
                       const long long *starts, int columns, Term term, real *d_rows) {
  __shared__ real parts[1024];
  __shared__ int list[1024];
  int row = blockIdx.x, first = blockIdx.y * COLUMNS_A_BLOCK;
  int width = min(columns - first, COLUMNS_A_BLOCK), groups = blockDim.x / width;
  int group = threadIdx.x / width, column = first + threadIdx.x % width;
  real sum = 0;
  if (sorted) {
    for (long long n = starts[row] + group; group < groups && n < starts[row + 1]; n += groups)
      sum += term((int)order[n], column);
  } else {
    for (int from = 0; from < count; from += blockDim.x) {
      int found = places_holding(row, held, from, count, list);
      for (int n = group; group < groups && n < found; n += groups) sum += term(list[n], column);
    }
  }
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (group == 0) {
    real total = 0;
    for (int g = 0; g < groups; g++) total += parts[g * width + threadIdx.x];
    d_rows[row * columns + column] = total;
  }
}

// d_table[v] = sum of encoding[s] d_readings[n] over the places (n, s) that hold word v, but for nil.
extern "C" __global__ void gather_words(int sorted, const int *words, int count,
                                        const long long *order, const long long *starts, int S,
                                        int E, const real *encoding, const real *d_readings,
                                        real *d_table) {
  if (blockIdx.x == 0) {
    int e = blockIdx.y * COLUMNS_A_BLOCK + threadIdx.x;
    if (threadIdx.x < COLUMNS_A_BLOCK && e < E) d_table[e] = 0;
    return;
  }
  auto term = [=](int place, int e) {
    return encoding[place % S * E + e] * d_readings[place / S * E + e];
  };
  gather(sorted, words, count, order, starts, E, term, d_table);
}

// d_readings[u] = sum_h p_h[b, i] w_h[b] over the slots (b, i) that hold sentence u.
extern "C" __global__ void gather_slots(int sorted, const int *rows, int B, int M,
                                        const long long *order, const long long *starts, int H,
                                        int D, const real *p, const real *w, real *d_readings) {
  auto term = [=](int place, int d) {
    int b = place / M;
    real sum = 0;
    for (int h = 0; h < H; h++) sum += p[h * B * M + place] * w[(h * B + b) * D + d];
    return sum;
  };
  gather(sorted, rows, B * M, order, starts, D, term, d_readings);
}
