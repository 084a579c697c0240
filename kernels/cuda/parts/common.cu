// Definitions for all kernels. A thread block has one row of threads, a multiple of WARP.
//
// Several models may train side by side. Their arrays are then stored one after another, and
// blockIdx.y is the index of the model. A single model is a grid of height 1.
typedef REAL real;
#ifndef DYNAMIC_SHARED
#define DYNAMIC_SHARED(name) extern __shared__ real name[]
#endif

#define ALL_LANES 0xffffffffu
#define LEAST_SCORE real(-1e30f)  // less than any score

// A group of kernel parameters is a macro that lists its fields, FIELD(type, name). These turn the
// list into parameters, into the members of a struct, and into the values of such a struct.
#define PARAMETER(type, name) type name,
#define MEMBER(type, name) type name;
#define VALUE(type, name) name,

// GROUP(FIELD, 0) GROUP(FIELD, 1) .. GROUP(FIELD, n - 1), for a macro n that is 6 or 8.
#define REPEAT(n, GROUP, FIELD) REPEAT_N(n, GROUP, FIELD)
#define REPEAT_N(n, GROUP, FIELD) REPEAT_##n(GROUP, FIELD)
#define REPEAT_6(GROUP, FIELD) \
  GROUP(FIELD, 0) GROUP(FIELD, 1) GROUP(FIELD, 2) GROUP(FIELD, 3) GROUP(FIELD, 4) GROUP(FIELD, 5)
#define REPEAT_8(GROUP, FIELD) REPEAT_6(GROUP, FIELD) GROUP(FIELD, 6) GROUP(FIELD, 7)

// From one model to the next, in elements: all parameters, a batch record, all readings.
#define STRIDES(FIELD) \
  FIELD(int, parameter_stride) FIELD(int, batch_stride) FIELD(int, reading_stride)

struct Strides {
  STRIDES(MEMBER)
};

// The part of model blockIdx.y in an array with `size` elements per model.
template <class T>
__device__ T *of_model(T *array, size_t size) {
  return array + blockIdx.y * size;
}

__device__ void store(int count, const real *x, real *to) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) to[i] = x[i];
}

// Four consecutive columns of a row, which a thread loads together if they are ALIGNED: if rows
// have a multiple of four columns, and the first one begins at a multiple of 16 bytes.
struct alignas(16) Four {
  real x[4];

  __device__ void operator+=(const Four &other) {
    for (int c = 0; c < 4; c++) x[c] += other.x[c];
  }
};

__device__ bool are_aligned(int columns, const real *first, const real *second) {
  return columns % 4 == 0 && ((size_t)first | (size_t)second) % 16 == 0;
}

// The columns from `first` on; those beyond the last one are zero.
template <bool ALIGNED>
__device__ Four load_four(const real *row, int first, int columns) {
  if constexpr (ALIGNED) {
    return *(const Four *)(row + first);
  } else {
    Four four;
#pragma unroll
    for (int c = 0; c < 4; c++) four.x[c] = first + c < columns ? row[first + c] : (real)0;
    return four;
  }
}

template <bool ALIGNED>
__device__ void store_four(const Four &four, real *row, int first, int columns) {
  if constexpr (ALIGNED) {
    *(Four *)(row + first) = four;
  } else {
#pragma unroll
    for (int c = 0; c < 4; c++)
      if (first + c < columns) row[first + c] = four.x[c];
  }
}

// The product of two, column by column.
__device__ Four operator*(const Four &a, const Four &b) {
  return {a.x[0] * b.x[0], a.x[1] * b.x[1], a.x[2] * b.x[2], a.x[3] * b.x[3]};
}

__device__ Four operator*(real a, const Four &b) {
  return {a * b.x[0], a * b.x[1], a * b.x[2], a * b.x[3]};
}

// A constant that the compiler knows in a generic lambda.
template <bool value_>
struct Constant {
  static constexpr bool value = value_;
};

// y_i += x_i
__device__ void add_to(int count, const real *x, real *y) {
  for (int i = threadIdx.x; i < count; i += blockDim.x) y[i] += x[i];
  __syncthreads();
}
