#include "parts/key_value_hops.cu"

extern "C" __global__ void __launch_bounds__(MANY_THREADS, 2)
    key_value_hops_by_row(MEMORY(PARAMETER) SAVED(PARAMETER) STRIDES(PARAMETER) real *u) {
  HOPS_OF_MODEL
  with_slots(memory, v.staging,
             [&](const auto &slots) { hop_forward<true>(memory, slots, saved, v); });
  store(F, v.u, u + blockIdx.x * F);
}

extern "C" __global__ void __launch_bounds__(MANY_THREADS, 2)
    key_value_hops_by_row_backward(MEMORY(PARAMETER) SAVED(PARAMETER) STRIDES(PARAMETER)
                                       const real *du) {
  HOPS_OF_MODEL
  store(F, du + blockIdx.x * F, v.u);
  __syncthreads();
  with_slots(memory, v.staging, [&](const auto &slots) { hop_backward(memory, slots, saved, v); });
}
