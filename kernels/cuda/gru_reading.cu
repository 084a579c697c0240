// A GRU over the words of a sentence, one block per sentence. `mapped` (V, 3 F) is the contribution
// of each word to the gates and the candidate: reset, update, candidate. Each place of a sentence
// saves its state and the reset state, (N, S, 2 F), its gates, (N, S, 2 F), and its candidate, (N,
// S, F).
#include "parts/sums.cu"

__device__ real sigmoid(real x) { return (real)0.5 * (1 + tanh((real)0.5 * x)); }

struct GruVectors {  // in shared memory
  real *h, *reset, *gates, *candidate, *d_mapped, *scratch;
};

__device__ GruVectors gru_vectors(int F, real *shared) {
  GruVectors v;
  v.h = shared, v.reset = v.h + F, v.gates = v.reset + F, v.candidate = v.gates + 2 * F;
  v.d_mapped = v.candidate + F, v.scratch = v.d_mapped + 3 * F;
  return v;
}

extern "C" __global__ void gru_reading(const int *words, const real *mapped, const real *to_gates,
                                       const real *to_candidate, int S, int F, real *states,
                                       real *gates, real *candidates, real *readings) {
  DYNAMIC_SHARED(shared);
  GruVectors v = gru_vectors(F, shared);
  Matrix of_gates = {to_gates, 2 * F}, of_candidate = {to_candidate, F};
  for (int f = threadIdx.x; f < F; f += blockDim.x) v.h[f] = 0;
  __syncthreads();
  for (int s = 0; s < S; s++) {
    size_t place = (size_t)blockIdx.x * S + s;
    const real *of_word = mapped + (size_t)words[place] * 3 * F;
    column_sums(2 * F, F, v.h, of_gates, v.gates, v.scratch);
    for (int c = threadIdx.x; c < 2 * F; c += blockDim.x)
      v.gates[c] = sigmoid(v.gates[c] + of_word[c]);
    __syncthreads();
    for (int f = threadIdx.x; f < F; f += blockDim.x) v.reset[f] = v.gates[f] * v.h[f];
    __syncthreads();
    column_sums(F, F, v.reset, of_candidate, v.candidate, v.scratch);
    for (int f = threadIdx.x; f < F; f += blockDim.x) {
      real z = v.gates[F + f], c = tanh(v.candidate[f] + of_word[2 * F + f]), h = v.h[f];
      states[place * 2 * F + f] = h, states[place * 2 * F + F + f] = v.reset[f];
      gates[place * 2 * F + f] = v.gates[f], gates[place * 2 * F + F + f] = z;
      candidates[place * F + f] = c;
      v.h[f] = z * h + (1 - z) * c;
    }
    __syncthreads();
  }
  store(F, v.h, readings + (size_t)blockIdx.x * F);
}

// d_mapped (N, S, 3 F) is the gradient of the contribution of the word at each place.
extern "C" __global__ void gru_reading_backward(const real *d_readings, const real *to_gates,
                                                const real *to_candidate, int S, int F,
                                                const real *states, const real *gates,
                                                const real *candidates, real *d_mapped) {
  DYNAMIC_SHARED(shared);
  GruVectors v = gru_vectors(F, shared);
  real *dh = v.h, *d_reset = v.reset, *d_h_by_gates = v.candidate;
  Matrix of_gates = {to_gates, 2 * F}, of_candidate = {to_candidate, F};
  store(F, d_readings + (size_t)blockIdx.x * F, dh);
  __syncthreads();
  for (int s = S - 1; s >= 0; s--) {
    size_t place = (size_t)blockIdx.x * S + s;
    const real *h = states + place * 2 * F, *r = gates + place * 2 * F, *z = r + F;
    const real *c = candidates + place * F;
    for (int f = threadIdx.x; f < F; f += blockDim.x) {
      v.d_mapped[F + f] = dh[f] * (h[f] - c[f]) * z[f] * (1 - z[f]);
      v.d_mapped[2 * F + f] = dh[f] * (1 - z[f]) * (1 - c[f] * c[f]);
    }
    __syncthreads();
    row_dots(F, F, v.d_mapped + 2 * F, of_candidate, d_reset);  // of r h
    for (int f = threadIdx.x; f < F; f += blockDim.x)
      v.d_mapped[f] = d_reset[f] * h[f] * r[f] * (1 - r[f]);
    __syncthreads();
    store(3 * F, v.d_mapped, d_mapped + place * 3 * F);
    row_dots(F, 2 * F, v.d_mapped, of_gates, d_h_by_gates);
    for (int f = threadIdx.x; f < F; f += blockDim.x)  // h enters h', r h and the gates
      dh[f] = dh[f] * z[f] + d_reset[f] * r[f] + d_h_by_gates[f];
    __syncthreads();
  }
}
