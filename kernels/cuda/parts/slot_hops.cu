// The hops of the End-To-End Memory Networks, one thread block per question: u' = rectify(u C + o),
// o = sum_i p_i v_i, p = softmax_i(u · k_i). A slot is the sum of K readings and, in the language
// model, of its temporal encoding.
#include "parts/softmax.cu"

// has_nil: row 0 adds nothing. linear_size: components of u' from this one on are rectified.
// table_stride: from the keys (values) of a hop to those of the next one, in elements.
#define SLOT_HOPS(FIELD)      \
  FIELD(int, B)               \
  FIELD(int, M)               \
  FIELD(int, K)               \
  FIELD(int, E)               \
  FIELD(int, H)               \
  FIELD(int, linear_size)     \
  FIELD(int, with_softmax)    \
  FIELD(int, has_nil)         \
  FIELD(int, has_matrix)      \
  FIELD(int, has_encodings)   \
  FIELD(int, table_stride)    \
  FIELD(const real *, keys)   \
  FIELD(const real *, values) \
  FIELD(const real *, TK)     \
  FIELD(const real *, TV)     \
  FIELD(const real *, matrix) \
  FIELD(const int *, rows)

struct SlotHops {
  SLOT_HOPS(MEMBER)

  struct Slot {
    const SlotHops &m;
    const real *readings, *encoding;
    const int *rows;

    __device__ real operator[](int e) const {
      real sum = m.has_encodings ? encoding[e] : (real)0;
      for (int k = 0; k < m.K; k++)
        if (rows[k] || !m.has_nil) sum += readings[(size_t)rows[k] * m.E + e];
      return sum;
    }
  };
  struct Slots {
    const SlotHops &m;
    const real *readings, *encodings;

    __device__ Slot operator()(int i) const {
      return {m, readings, encodings + i * m.E, m.rows + ((size_t)blockIdx.x * m.M + i) * m.K};
    }
  };
  __device__ Matrix of_matrix() const { return {matrix, E}; }
  __device__ Slots keys_of(int h) const { return {*this, keys + (size_t)h * table_stride, TK}; }
  __device__ Slots values_of(int h) const { return {*this, values + (size_t)h * table_stride, TV}; }
};

// us is (H + 1, B, E), u_0 to u_H; ps is (H, B, M).
extern "C" __global__ void slot_hops(SLOT_HOPS(PARAMETER) real *us, real *ps) {
  DYNAMIC_SHARED(u);
  SlotHops m = {SLOT_HOPS(VALUE)};
  real *read = u + E, *mapped = read + E, *p = mapped + E, *scratch = p + M;
  store(E, us + (size_t)blockIdx.x * E, u);
  __syncthreads();
  for (int h = 0; h < H; h++) {
    size_t place = (size_t)h * B + blockIdx.x;
    row_dots(M, E, u, m.keys_of(h), p);
    if (with_softmax) softmax(p, M, rows, 0);
    store(M, p, ps + place * M);
    column_sums(E, M, p, m.values_of(h), read, scratch);
    if (has_matrix) column_sums(E, E, u, m.of_matrix(), mapped, scratch);
    for (int e = threadIdx.x; e < E; e += blockDim.x) {
      real x = (has_matrix ? mapped[e] : u[e]) + read[e];
      u[e] = e < linear_size ? x : max(x, (real)0);
    }
    __syncthreads();
    store(E, u, us + (place + B) * E);
  }
}

// From du_H, the last of d_us, to du_0, the first; those between become the gradients of the sums
// u C + o.
extern "C" __global__ void slot_hops_backward(SLOT_HOPS(PARAMETER) const real *us, const real *ps,
                                              real *d_us, real *d_scores) {
  DYNAMIC_SHARED(du);
  SlotHops m = {SLOT_HOPS(VALUE)};
  real *d_read = du + E, *mapped = d_read + E, *dp = mapped + E, *scratch = dp + M;
  size_t last = (size_t)H * B + blockIdx.x;
  store(E, d_us + last * E, du);
  __syncthreads();
  for (int h = H - 1; h >= 0; h--) {
    size_t place = (size_t)h * B + blockIdx.x;
    for (int e = threadIdx.x; e < E; e += blockDim.x) {
      if (e >= linear_size && !(us[(place + B) * E + e] > 0)) du[e] = 0;
      d_us[(place + B) * E + e] = du[e];
    }
    __syncthreads();
    row_dots(M, E, du, m.values_of(h), dp);
    if (with_softmax) softmax_backward(ps + place * M, dp, M);
    store(M, dp, d_scores + place * M);
    column_sums(E, M, dp, m.keys_of(h), d_read, scratch);
    if (has_matrix) row_dots(E, E, du, m.of_matrix(), mapped);
    for (int e = threadIdx.x; e < E; e += blockDim.x)
      du[e] = (has_matrix ? mapped[e] : du[e]) + d_read[e];
    __syncthreads();
  }
  store(E, du, d_us + (size_t)blockIdx.x * E);
}
