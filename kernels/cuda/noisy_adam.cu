#include "parts/update.cu"

// One block per chunk, and a last one for the penalty.
extern "C" __global__ void noisy_adam(UPDATE(PARAMETER) real *penalty) {
  Update update = {UPDATE(VALUE)};
  if (blockIdx.x + 1 < gridDim.x) {
    update_chunk(update);
  } else {
    real value = l2_penalty(update);
    if (threadIdx.x == 0) *penalty = value;
  }
}
