// From what a hop reads to the next hop's query, one block per question. The matrices stay in the
// cache of a multiprocessor.
#include "parts/sums.cu"

// s = u + read Aᵀ, u' = s Rᵀ, w' = u' A
extern "C" __global__ void between_hops(int D, int F, const real *us, const real *reads,
                                        const real *A, const real *R, real *ss, real *next_us,
                                        real *next_ws) {
  DYNAMIC_SHARED(read);
  real *u = read + D, *s = u + F, *w = s + F, *scratch = w + D;
  size_t b = blockIdx.x;
  Matrix of_A = {A, D}, of_R = {R, F};
  store(D, reads + b * D, read), store(F, us + b * F, u);
  __syncthreads();
  row_dots(F, D, read, of_A, s);
  add_to(F, u, s);
  store(F, s, ss + b * F);
  row_dots(F, F, s, of_R, u);
  store(F, u, next_us + b * F);
  column_sums(D, F, u, of_A, w, scratch);
  store(D, w, next_ws + b * D);
}

// From ds and dw of a hop to the hop before: du = ds + dw Aᵀ, ds = du R, d_read = ds A.
extern "C" __global__ void between_hops_backward(int D, int F, const real *dss, const real *dws,
                                                 const real *A, const real *R, real *previous_dus,
                                                 real *previous_dss, real *previous_d_reads) {
  DYNAMIC_SHARED(dw);
  real *ds = dw + D, *du = ds + F, *d_read = du + F, *scratch = d_read + D;
  size_t b = blockIdx.x;
  Matrix of_A = {A, D}, of_R = {R, F};
  store(D, dws + b * D, dw), store(F, dss + b * F, ds);
  __syncthreads();
  row_dots(F, D, dw, of_A, du);
  add_to(F, ds, du);  // u enters the scores and the sum s
  store(F, du, previous_dus + b * F);
  column_sums(F, F, du, of_R, ds, scratch);
  store(F, ds, previous_dss + b * F);
  column_sums(D, F, ds, of_A, d_read, scratch);
  store(D, d_read, previous_d_reads + b * D);
}
