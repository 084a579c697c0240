#include "parts/common.cu"

// Copy arrays one after another, from element `start` of the vector on. Array n ends before element
// start + end_n.
#define SECTION(FIELD, n) FIELD(const real *, section##n) FIELD(int, end##n)
#define SECTIONS(FIELD) REPEAT(ARRAYS_PER_LAUNCH, SECTION, FIELD)
#define COPY(FIELD, n)                         \
  if (i < end##n) {                            \
    vector[start + i] = section##n[i - begin]; \
    return;                                    \
  }                                            \
  begin = end##n;

extern "C" __global__ void concatenate(SECTIONS(PARAMETER) real *vector, int start) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, begin = 0;
  REPEAT(ARRAYS_PER_LAUNCH, COPY, )
}
