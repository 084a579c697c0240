// The gradient of a row that is used in many places: each row gathers from the places that hold it,
// in their order. A block makes up to 128 columns of one row. Where the places are few, each block
// looks through all of them; where they are many, they come sorted.

#define COLUMNS_A_BLOCK 128

__device__ int first_column(int block) { return block * COLUMNS_A_BLOCK; }

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

// d_row_c = sum over places of term(place, c) for the columns from `first` on, added to what is there
// if `add`; where a thread has put its number, or null. `order` and `starts` list the places sorted by
// row.
template <class Term>
__device__ real *gather(bool sorted, int row, int first, const int *held, int count,
                       const int *order, const int *starts, int columns, Term term, bool add,
                       real *d_rows) {
  __shared__ real parts[1024];
  __shared__ int list[1024];
  int width = min(columns - first, COLUMNS_A_BLOCK), groups = blockDim.x / width;
  int group = threadIdx.x / width, column = first + threadIdx.x % width;
  real sum = 0;
  if (sorted) {
    if (group < groups)
      sum = strided_sum(starts[row] + group, starts[row + 1], groups,
                        [&](int n) { return term(order[n], column); });
  } else {
    for (int from = 0; from < count; from += blockDim.x) {
      int found = places_holding(row, held, from, count, list);
      if (group < groups)
        sum += strided_sum(group, found, groups, [&](int n) { return term(list[n], column); });
    }
  }
  __syncthreads();  // parts of the sum before may still be read
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (group) return nullptr;
  real *number = d_rows + row * columns + column, total = add ? *number : (real)0;
  for (int g = 0; g < groups; g++) total += parts[g * width + threadIdx.x];
  *number = total;
  return number;
}

// The same for a row that gets nothing.
__device__ real *gather_nothing(int row, int first, int columns, bool add, real *d_rows) {
  int column = first + threadIdx.x;
  if (threadIdx.x >= COLUMNS_A_BLOCK || column >= columns) return nullptr;
  real *number = d_rows + row * columns + column;
  if (!add) *number = 0;
  return number;
}

// d_table[v] = sum of encoding[s] d_readings[n] over the places (n, s) that hold word v, but for nil.
// The first `first_count` places are looked up in one table; the others, if any, in a second one,
// whose gradient is added to what is there; its places are counted from their own start. `add`: the
// first one's is, too.
#define WORDS                                                                                     \
  int sorted, int add, const int *words, int first_count, int count, const int *order,            \
      const int *starts, int S, int E, int V, const real *encoding, const real *d_readings,       \
      real *d_first, real *d_second, int parameters, int batch, int readings
#define WORDS_GIVEN                                                                                \
  sorted, add, words, first_count, count, order, starts, S, E, V, encoding, d_readings, d_first,   \
      d_second, parameters, batch, readings

__device__ real *gather_words_of(WORDS) {
  bool second = (int)blockIdx.x >= V;
  int word = blockIdx.x - second * V, from = second * first_count, first = first_column(blockIdx.z);
  real *d_table = of_start(second ? d_second : d_first, parameters);
  add = second || add;
  if (word == 0) return gather_nothing(0, first, E, add, d_table);
  const real *d_read = of_start(d_readings, readings);
  auto term = [=](int place, int e) {
    place += from;
    return encoding[place % S * E + e] * d_read[place / S * E + e];
  };
  return gather(sorted, word, first, of_start(words, batch) + from,
                second ? count - first_count : first_count, of_start(order, batch) + from,
                of_start(starts, batch) + second * (V + 1), E, term, add, d_table);
}

extern "C" __global__ void gather_words(WORDS) { gather_words_of(WORDS_GIVEN); }

struct Slots {
  int sorted, sides;
  const int *key_rows, *value_rows, *key_order, *key_starts, *value_order, *value_starts;
  int B, M, K, H, D, first_row;
  const real *key_p, *key_w, *value_p, *value_w;
  real *d_readings;
};

// d_readings[u] = sum_h p_h[b, i] w_h[b] over the slots (b, i) that hold sentence u: as a key, as a
// value, or both. A slot has K places for sentences. Sentences before `first_row` get nothing.
__device__ void gather_slots_of(int row, int first, const Slots &s, int batch, int readings) {
  real *d_readings = of_start(s.d_readings, readings);
  if (row < s.first_row) {
    gather_nothing(row, first, s.D, false, d_readings);
    return;
  }
  for (int side = 0; side < s.sides; side++) {
    const real *p = of_start(side ? s.value_p : s.key_p, (size_t)s.H * s.B * s.M);
    const real *w = of_start(side ? s.value_w : s.key_w, (size_t)s.H * s.B * s.D);
    auto term = [=](int place, int d) {
      int slot = place / s.K, b = slot / s.M;
      real sum = 0;
      for (int h = 0; h < s.H; h++) sum += p[h * s.B * s.M + slot] * w[(h * s.B + b) * s.D + d];
      return sum;
    };
    const int *rows = of_start(side ? s.value_rows : s.key_rows, batch);
    const int *order = of_start(side ? s.value_order : s.key_order, batch);
    const int *starts = of_start(side ? s.value_starts : s.key_starts, batch);
    gather(s.sorted, row, first, rows, s.B * s.M * s.K, order, starts, s.D, term, side > 0,
           d_readings);
  }
}

#define SLOT_PLACES                                                                               \
  int sorted, int sides, const int *key_rows, const int *value_rows, const int *key_order,     \
      const int *key_starts, const int *value_order, const int *value_starts, int B, int M,    \
      int K, int H, int D, int first_row, const real *key_p, const real *key_w,                \
      const real *value_p, const real *value_w, real *d_readings, int batch, int readings
#define SLOT_PLACES_GIVEN                                                                         \
  {sorted, sides, key_rows, value_rows, key_order, key_starts, value_order, value_starts, B, M, \
   K, H, D, first_row, key_p, key_w, value_p, value_w, d_readings}

extern "C" __global__ void gather_slots(SLOT_PLACES) {
  gather_slots_of(blockIdx.x, first_column(blockIdx.z), SLOT_PLACES_GIVEN, batch, readings);
}

// The same for many sentences that stand in few slots each, sorted: a warp a sentence, four columns a
// lane at a time. Grid: sentences, then so many columns.

extern "C" __global__ void gather_few_slots(int sides, const int *key_order, const int *key_starts,
                                            const int *value_order, const int *value_starts, int B,
                                            int M, int K, int H, int D, int rows, int first_row,
                                            const real *key_p, const real *key_w,
                                            const real *value_p, const real *value_w,
                                            real *d_readings) {
  int row = blockIdx.x * (blockDim.x / WARP) + threadIdx.x / WARP;
  int first = blockIdx.y * COLUMNS_A_BLOCK + threadIdx.x % WARP;
  if (row >= rows) return;
  real sum[COLUMNS_A_BLOCK / WARP] = {};
  for (int side = row < first_row ? sides : 0; side < sides; side++) {
    const real *p = side ? value_p : key_p, *w = side ? value_w : key_w;
    const int *order = side ? value_order : key_order;
    const int *starts = side ? value_starts : key_starts;
    for (int n = starts[row]; n < starts[row + 1]; n++) {
      int slot = order[n] / K, b = slot / M;
      for (int h = 0; h < H; h++) {
        real share = p[(size_t)h * B * M + slot];
        const real *vector = w + (size_t)(h * B + b) * D;
#pragma unroll
        for (int c = 0; c < COLUMNS_A_BLOCK / WARP; c++)
          if (first + c * WARP < D) sum[c] += share * vector[first + c * WARP];
      }
    }
  }
#pragma unroll
  for (int c = 0; c < COLUMNS_A_BLOCK / WARP; c++)
    if (first + c * WARP < D) d_readings[(size_t)row * D + first + c * WARP] = sum[c];
}
