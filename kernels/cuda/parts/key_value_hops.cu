// The hops of the Key-Value Memory Network, one thread block per question, whose vectors stay in
// shared memory. What the gradients of the matrices are computed from is saved, hop by hop. Grid:
// questions, models.
#include "parts/softmax.cu"

#define MEMORY(FIELD)            \
  FIELD(int, B)                  \
  FIELD(int, M)                  \
  FIELD(int, D)                  \
  FIELD(int, F)                  \
  FIELD(int, H)                  \
  FIELD(const real *, query)     \
  FIELD(const real *, readings)  \
  FIELD(const real *, TK)        \
  FIELD(const real *, TV)        \
  FIELD(const real *, A)         \
  FIELD(const real *, R)         \
  FIELD(const int *, key_rows)   \
  FIELD(const int *, value_rows) \
  FIELD(const int *, allowed)    \
  FIELD(int, masked)             \
  FIELD(int, staged)

struct Memory {
  MEMORY(MEMBER)

  __device__ Matrix of_A() const { return {A, D}; }
  __device__ Matrix of_R(int h) const { return {R + h * F * F, F}; }
};

// The keys and values of the block's question: fetched at every use, or once into shared memory.
struct FetchedSlots {
  const Memory &m;

  struct Sum {  // of a temporal encoding and a reading
    const real *encoding, *reading;

    __device__ real operator[](int d) const { return encoding[d] + reading[d]; }
  };
  struct Rows {
    const Memory &m;
    const real *encodings;
    const int *readings_of;

    __device__ Sum operator()(int i) const {
      return {encodings + i * m.D, m.readings + (size_t)readings_of[i] * m.D};
    }
  };
  __device__ Rows keys() const { return {m, m.TK, m.key_rows + (int)blockIdx.x * m.M}; }
  __device__ Rows values() const { return {m, m.TV, m.value_rows + (int)blockIdx.x * m.M}; }
};

struct StagedSlots {
  const real *staged_keys, *staged_values;
  int D;

  __device__ Matrix keys() const { return {staged_keys, D}; }
  __device__ Matrix values() const { return {staged_values, D}; }
};

// Call body(slots), with slots in shared memory, 2 M D elements from `staging` on, if they fit.
template <class Body>
__device__ void with_slots(const Memory &memory, real *staging, Body body) {
  FetchedSlots fetched = {memory};
  if (!memory.staged) {
    body(fetched);
    return;
  }
  int M = memory.M, D = memory.D, warps = blockDim.x / WARP;
  auto keys = fetched.keys();
  auto values = fetched.values();
  for (int i = threadIdx.x / WARP; i < M; i += warps) {
    auto key = keys(i), value = values(i);
    for (int d = threadIdx.x % WARP; d < D; d += WARP)
      staging[i * D + d] = key[d], staging[(M + i) * D + d] = value[d];
  }
  __syncthreads();
  body(StagedSlots{staging, staging + M * D, D});
}

__device__ Memory of_model(Memory memory, const Strides &strides) {
  memory.TK = of_model(memory.TK, strides.parameter_stride);
  memory.TV = of_model(memory.TV, strides.parameter_stride);
  memory.A = of_model(memory.A, strides.parameter_stride);
  memory.R = of_model(memory.R, strides.parameter_stride);
  memory.query = of_model(memory.query, strides.reading_stride);
  memory.readings = of_model(memory.readings, strides.reading_stride);
  memory.key_rows = of_model(memory.key_rows, strides.batch_stride);
  memory.value_rows = of_model(memory.value_rows, strides.batch_stride);
  memory.allowed = of_model(memory.allowed, strides.batch_stride);
  return memory;
}

// Arrays that the forward pass fills (ws, ps, ss, and parts of the first two) and that the backward
// pass fills (the others): (H, B, ...). The gradient of A is one sum of outer products, so its
// factors are stored one under the other: ds, u and du_0 in into_A; reads, dw and the query in
// out_of_A.
#define SAVED(FIELD)      \
  FIELD(real *, into_A)   \
  FIELD(real *, out_of_A) \
  FIELD(real *, ws)       \
  FIELD(real *, ps)       \
  FIELD(real *, ss)       \
  FIELD(real *, dus)      \
  FIELD(real *, d_reads)  \
  FIELD(real *, d_scores) \
  FIELD(real *, d_query)

struct SavedArrays {
  SAVED(MEMBER)
};

struct Saved {
  real *us, *ws, *ps, *reads, *ss, *dus, *dss, *d_reads, *d_scores, *dws, *d_query;
};

__device__ Saved of_model(const SavedArrays &arrays, const Memory &memory, const Strides &strides) {
  size_t hops = memory.H * memory.B, D = memory.D, F = memory.F, M = memory.M;
  Saved saved;
  saved.dss = of_model(arrays.into_A, (2 * hops + memory.B) * F), saved.us = saved.dss + hops * F;
  saved.reads = of_model(arrays.out_of_A, (2 * hops + memory.B) * D);
  saved.dws = saved.reads + hops * D;
  saved.ws = of_model(arrays.ws, hops * D), saved.ps = of_model(arrays.ps, hops * M);
  saved.ss = of_model(arrays.ss, hops * F), saved.dus = of_model(arrays.dus, hops * F);
  saved.d_reads = of_model(arrays.d_reads, hops * D);
  saved.d_scores = of_model(arrays.d_scores, hops * M);
  saved.d_query = of_model(arrays.d_query, strides.reading_stride);
  return saved;
}

struct HopVectors {  // in shared memory
  real *u, *s, *w, *read, *p, *scratch, *staging, *others;
};

__device__ HopVectors hop_vectors(const Memory &memory, real *shared) {
  HopVectors v;
  v.u = shared, v.s = v.u + memory.F, v.w = v.s + memory.F, v.read = v.w + memory.D;
  v.p = v.read + memory.D, v.scratch = v.p + memory.M, v.staging = v.scratch + PARTIAL_SUMS;
  v.others = v.staging + 2 * memory.M * memory.D * memory.staged;
  return v;
}

// Compute u_H, in v.u. A is applied to the query, since u · k Aᵀ = (u A) · k.
template <bool save, class Slots>
__device__ void hop_forward(const Memory &memory, const Slots &slots, const Saved &saved,
                            const HopVectors &v) {
  int b = blockIdx.x, B = memory.B, M = memory.M, D = memory.D, F = memory.F;
  row_dots(F, D, memory.query + b * D, memory.of_A(), v.u);
  for (int h = 0; h < memory.H; h++) {
    int place = h * B + b;
    if (save) store(F, v.u, saved.us + place * F);
    column_sums(D, F, v.u, memory.of_A(), v.w, v.scratch);
    if (save) store(D, v.w, saved.ws + place * D);
    row_dots(M, D, v.w, slots.keys(), v.p);
    softmax(v.p, M, memory.allowed + b * M * memory.masked, memory.masked);
    if (save) store(M, v.p, saved.ps + place * M);
    column_sums(D, M, v.p, slots.values(), v.read, v.scratch);
    if (save) store(D, v.read, saved.reads + place * D);
    row_dots(F, D, v.read, memory.of_A(), v.s);
    add_to(F, v.u, v.s);  // s = u + o
    if (save) store(F, v.s, saved.ss + place * F);
    row_dots(F, F, v.s, memory.of_R(h), v.u);
  }
}

// The backward pass from du_H in v.u. v.s is ds, v.read is d_read, v.w is dw, v.p is d_scores.
template <class Slots>
__device__ void hop_backward(const Memory &memory, const Slots &slots, const Saved &saved,
                             const HopVectors &v) {
  int b = blockIdx.x, B = memory.B, M = memory.M, D = memory.D, F = memory.F, H = memory.H;
  for (int h = H - 1; h >= 0; h--) {
    int place = h * B + b;
    store(F, v.u, saved.dus + place * F);
    column_sums(F, F, v.u, memory.of_R(h), v.s, v.scratch);
    store(F, v.s, saved.dss + place * F);
    column_sums(D, F, v.s, memory.of_A(), v.read, v.scratch);
    store(D, v.read, saved.d_reads + place * D);
    row_dots(M, D, v.read, slots.values(), v.p);
    softmax_backward(saved.ps + place * M, v.p, M);
    store(M, v.p, saved.d_scores + place * M);
    column_sums(D, M, v.p, slots.keys(), v.w, v.scratch);
    store(D, v.w, saved.dws + place * D);
    row_dots(F, D, v.w, memory.of_A(), v.u);
    add_to(F, v.s, v.u);  // u enters the scores and the sum s
  }
  // du_0 is stored after the u of the hops, the query after their dw.
  store(F, v.u, saved.us + (H * B + b) * F);
  store(D, memory.query + b * D, saved.dws + (H * B + b) * D);
  column_sums(D, F, v.u, memory.of_A(), v.w, v.scratch);
  store(D, v.w, saved.d_query + b * D);
}

// Declare, in a kernel with these groups of parameters, what the functions above take.
#define HOPS_OF_MODEL                                       \
  DYNAMIC_SHARED(shared);                                   \
  Strides strides = {STRIDES(VALUE)};                       \
  SavedArrays arrays = {SAVED(VALUE)};                      \
  Memory memory = of_model(Memory{MEMORY(VALUE)}, strides); \
  Saved saved = of_model(arrays, memory, strides);          \
  HopVectors v = hop_vectors(memory, shared);
