#include "parts/key_value_hops.cu"

extern "C" __global__ void __launch_bounds__(QUESTION_THREADS)
    key_value_hops_by_row(MEMORY(PARAMETER) SAVED(PARAMETER) STRIDES(PARAMETER) real *u) {
  HOPS_OF_MODEL
  hop_forward<true>(memory, saved, v);
  store(F, v.u, u + blockIdx.x * F);
}

extern "C" __global__ void __launch_bounds__(QUESTION_THREADS)
    key_value_hops_by_row_backward(MEMORY(PARAMETER) SAVED(PARAMETER) STRIDES(PARAMETER)
                                       const real *du) {
  HOPS_OF_MODEL
  store(F, du + blockIdx.x * F, v.u);
  __syncthreads();
  hop_backward(memory, saved, v);
}
