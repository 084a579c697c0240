// The gradient of a row that is used in many places: each row gathers from the places that hold it,
// in their order. A block computes up to COLUMNS_PER_BLOCK columns of one row. Either each block
// searches all places, or the places are sorted by row.
#include "parts/sums.cu"

// Division by the same integer, for numbers below `last`: by a product, where that is exact.
struct Divider {
  int divisor;
  unsigned inverse;  // 2^32 / divisor, rounded up

  __device__ Divider(int divisor_, int last) : divisor(divisor_) {
    bool exact = divisor > 1 && (unsigned long long)last * divisor < 1ull << 32;
    inverse = exact ? 0xffffffffu / divisor + 1 : 0;
  }
  __device__ int operator()(int x) const {
    if (divisor == 1) return x;
    return inverse ? (int)__umulhi((unsigned)x, inverse) : x / divisor;
  }
};

__device__ int first_column(int block) { return block * COLUMNS_PER_BLOCK; }

// List which of the next blockDim.x places hold a row, in order; return how many do.
__device__ int places_holding(int row, const int *held, int first, int count, int *list) {
  __shared__ int found[WARP];
  int place = first + threadIdx.x, lane = threadIdx.x % WARP, warp = threadIdx.x / WARP;
  bool holds = place < count && held[place] == row;
  unsigned ballot = __ballot_sync(ALL_LANES, holds);
  __syncthreads();  // the previous list may still be read
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

struct Places {
  int sorted;
  const int *held;  // the row that each place holds, unless they are sorted
  int count;
  const int *order, *starts;  // if sorted: the places by row, and where those of each row begin
};

// d_row_c = sum over places of term(place, c), for the columns from `first` on; `add`: added to the
// present value. Returns the element that the thread stored, or null.
template <class Term>
__device__ real *gather(const Places &places, int row, int first, int columns, Term term, bool add,
                        real *d_rows) {
  __shared__ real sums[THREADS];
  __shared__ int list[THREADS];
  int width = min(columns - first, COLUMNS_PER_BLOCK), groups = blockDim.x / width;
  int group = threadIdx.x / width, column = first + threadIdx.x % width;
  real sum = 0;
  if (places.sorted) {
    if (group < groups)
      sum = strided_sum(places.starts[row] + group, places.starts[row + 1], groups,
                        [&](int n) { return term(places.order[n], column); });
  } else {
    for (int from = 0; from < places.count; from += blockDim.x) {
      int found = places_holding(row, places.held, from, places.count, list);
      if (group < groups)
        sum += strided_sum(group, found, groups, [&](int n) { return term(list[n], column); });
    }
  }
  __syncthreads();  // the previous sums may still be read
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (group) return nullptr;
  real *element = d_rows + (size_t)row * columns + column, total = add ? *element : (real)0;
  for (int g = 0; g < groups; g++) total += sums[g * width + threadIdx.x];
  *element = total;
  return element;
}

// The same for a row that gets nothing.
__device__ real *gather_nothing(int row, int first, int columns, bool add, real *d_rows) {
  int column = first + threadIdx.x;
  if (threadIdx.x >= COLUMNS_PER_BLOCK || column >= columns) return nullptr;
  real *element = d_rows + (size_t)row * columns + column;
  if (!add) *element = 0;
  return element;
}

// d_table[v] = sum of encoding[s] d_readings[n] over the places (n, s) that hold word v; zero for
// nil. The first `first_count` places are of one table. The others, if any, are of a second one:
// they are counted from their own start, and their gradient is added to the present value. `add`:
// so is that of the first table.
#define WORDS(FIELD)            \
  FIELD(int, sorted)            \
  FIELD(int, add)               \
  FIELD(const int *, words)     \
  FIELD(int, first_count)       \
  FIELD(int, count)             \
  FIELD(const int *, order)     \
  FIELD(const int *, starts)    \
  FIELD(int, S)                 \
  FIELD(int, E)                 \
  FIELD(int, V)                 \
  FIELD(const real *, encoding) \
  FIELD(const real *, d_readings)

struct Words {
  WORDS(MEMBER)
};

__device__ real *gather_word(const Words &w, const Strides &strides, real *d_first,
                             real *d_second) {
  bool second = (int)blockIdx.x >= w.V, add = second || w.add;
  int word = blockIdx.x - second * w.V, from = second * w.first_count;
  int first = first_column(blockIdx.z);
  real *d_table = of_model(second ? d_second : d_first, strides.parameter_stride);
  if (word == 0) return gather_nothing(0, first, w.E, add, d_table);
  const real *d_readings = of_model(w.d_readings, strides.reading_stride);
  Places places = {w.sorted, of_model(w.words, strides.batch_stride) + from,
                   second ? w.count - w.first_count : w.first_count,
                   of_model(w.order, strides.batch_stride) + from,
                   of_model(w.starts, strides.batch_stride) + second * (w.V + 1)};
  Divider sentence_of(w.S, w.count);
  auto term = [=](int place, int e) {
    place += from;
    int n = sentence_of(place), s = place - n * w.S;
    return w.encoding[s * w.E + e] * d_readings[(size_t)n * w.E + e];
  };
  return gather(places, word, first, w.E, term, add, d_table);
}

// Grid: words, 1, blocks of columns.
extern "C" __global__ void gather_words(WORDS(PARAMETER) real *d_table) {
  gather_word({WORDS(VALUE)}, Strides(), d_table, d_table);
}

#define SLOTS(FIELD)               \
  FIELD(int, sorted)               \
  FIELD(int, sides)                \
  FIELD(const int *, key_rows)     \
  FIELD(const int *, value_rows)   \
  FIELD(const int *, key_order)    \
  FIELD(const int *, key_starts)   \
  FIELD(const int *, value_order)  \
  FIELD(const int *, value_starts) \
  FIELD(int, B)                    \
  FIELD(int, M)                    \
  FIELD(int, K)                    \
  FIELD(int, H)                    \
  FIELD(int, D)                    \
  FIELD(int, first_row)            \
  FIELD(const real *, key_p)       \
  FIELD(const real *, key_w)       \
  FIELD(const real *, value_p)     \
  FIELD(const real *, value_w)

struct Slots {
  SLOTS(MEMBER)
};

// d_readings[u] = sum_h p_h[b, i] w_h[b] over the slots (b, i) that hold sentence u, as key, as
// value or as both. A slot holds K sentences. Sentences before `first_row` get nothing.
__device__ void gather_slot(int row, int first, const Slots &s, real *d_readings) {
  if (row < s.first_row) {
    gather_nothing(row, first, s.D, false, d_readings);
    return;
  }
  Divider slot_of(s.K, s.B * s.M * s.K), question_of(s.M, s.B * s.M);
  for (int side = 0; side < s.sides; side++) {
    const real *p = side ? s.value_p : s.key_p, *w = side ? s.value_w : s.key_w;
    auto term = [=](int place, int d) {
      int slot = slot_of(place), b = question_of(slot);
      real sum = 0;
#pragma unroll 4
      for (int h = 0; h < s.H; h++)
        sum += p[(size_t)h * s.B * s.M + slot] * w[(size_t)(h * s.B + b) * s.D + d];
      return sum;
    };
    Places places = {s.sorted, side ? s.value_rows : s.key_rows, s.B * s.M * s.K,
                     side ? s.value_order : s.key_order, side ? s.value_starts : s.key_starts};
    gather(places, row, first, s.D, term, side > 0, d_readings);
  }
}

// Grid: sentences, 1, blocks of columns.
extern "C" __global__ void gather_slots(SLOTS(PARAMETER) real *d_readings) {
  gather_slot(blockIdx.x, first_column(blockIdx.z), {SLOTS(VALUE)}, d_readings);
}

#define SLOTS_AT_ONCE 4  // whose loads are in flight together
#define PARTS (THREADS / WARP)

// The same for a sentence whose slots are sorted. They are summed in PARTS parts, every part some
// slots at a time: by a warp for each part, which is fast for a sentence in many slots, or all by
// one warp, which leaves no warp idle if the sentences are many. The sums are the same.
struct SlotColumns {  // of one lane: every 32nd
  real x[COLUMNS_PER_BLOCK / WARP];
};

__device__ void add_part(int row, int part, int first, const Slots &s, const Strides &strides,
                         SlotColumns &sum) {
  Divider slot_of(s.K, s.B * s.M * s.K), question_of(s.M, s.B * s.M);
  size_t slots = (size_t)s.B * s.M, vectors = (size_t)s.B * s.D;
  SlotColumns of_part = {};
  for (int side = 0; side < s.sides; side++) {
    const real *p = of_model(side ? s.value_p : s.key_p, s.H * slots);
    const real *w = of_model(side ? s.value_w : s.key_w, s.H * vectors);
    const int *order = of_model(side ? s.value_order : s.key_order, strides.batch_stride);
    const int *starts = of_model(side ? s.value_starts : s.key_starts, strides.batch_stride);
    int last = starts[row + 1];
    for (int n = starts[row] + part * SLOTS_AT_ONCE; n < last; n += PARTS * SLOTS_AT_ONCE) {
      const real *weight[SLOTS_AT_ONCE], *vector[SLOTS_AT_ONCE];
#pragma unroll
      for (int k = 0; k < SLOTS_AT_ONCE; k++) {
        int slot = n + k < last ? slot_of(order[n + k]) : 0;
        weight[k] = p + slot, vector[k] = w + question_of(slot) * s.D + first;
      }
      for (int h = 0; h < s.H; h++) {
#pragma unroll
        for (int k = 0; k < SLOTS_AT_ONCE; k++) {
          if (n + k >= last) break;
          real times = weight[k][h * slots];
#pragma unroll
          for (int c = 0; c < COLUMNS_PER_BLOCK / WARP; c++)
            if (first + c * WARP < s.D) of_part.x[c] += times * vector[k][h * vectors + c * WARP];
        }
      }
    }
  }
#pragma unroll
  for (int c = 0; c < COLUMNS_PER_BLOCK / WARP; c++) sum.x[c] += of_part.x[c];
}

__device__ int parts_of(int row, const Slots &s, const Strides &strides) {
  if (row < s.first_row) return 0;
  const int *keys = of_model(s.key_starts, strides.batch_stride) + row;
  const int *values = of_model(s.value_starts, strides.batch_stride) + row;
  int most = max(keys[1] - keys[0], s.sides > 1 ? values[1] - values[0] : 0);
  return min((most + SLOTS_AT_ONCE - 1) / SLOTS_AT_ONCE, PARTS);
}

__device__ void store_columns(const SlotColumns &sum, int row, int first, int D, real *d_readings) {
#pragma unroll
  for (int c = 0; c < COLUMNS_PER_BLOCK / WARP; c++)
    if (first + c * WARP < D) d_readings[(size_t)row * D + first + c * WARP] = sum.x[c];
}

// One warp per sentence.
__device__ void gather_by_warp(int row, int first, const Slots &s, const Strides &strides,
                               real *d_readings) {
  int parts = parts_of(row, s, strides);
  SlotColumns sum = {};
  first += threadIdx.x % WARP;
  for (int part = 0; part < parts; part++) add_part(row, part, first, s, strides, sum);
  store_columns(sum, row, first, s.D, of_model(d_readings, strides.reading_stride));
}

// One block per sentence.
__device__ void gather_by_block(int row, int first, const Slots &s, const Strides &strides,
                                real *d_readings) {
  __shared__ SlotColumns sums[PARTS][WARP];
  int part = threadIdx.x / WARP, lane = threadIdx.x % WARP, parts = parts_of(row, s, strides);
  SlotColumns sum = {};
  first += lane;
  if (part < parts) add_part(row, part, first, s, strides, sum);
  sums[part][lane] = sum;
  __syncthreads();
  if (part) return;
  for (int other = 1; other < parts; other++)
#pragma unroll
    for (int c = 0; c < COLUMNS_PER_BLOCK / WARP; c++) sum.x[c] += sums[other][lane].x[c];
  store_columns(sum, row, first, s.D, of_model(d_readings, strides.reading_stride));
}

// Grid: blocks of sentences, 1, blocks of columns.
extern "C" __global__ void gather_few_slots(SLOTS(PARAMETER) int rows, real *d_readings) {
  int row = blockIdx.x * PARTS + threadIdx.x / WARP, first = first_column(blockIdx.z);
  if (row < rows) gather_by_warp(row, first, {SLOTS(VALUE)}, Strides(), d_readings);
}
