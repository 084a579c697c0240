// The kernels of a training step of several models, in addition to the operations. A batch record
// is a row of ints: the words of the B queries and of the U sentences, then the rows of the slots
// and the answers.
#include "parts/bow_reading.cu"
#include "parts/gather.cu"
#include "parts/products.cu"
#include "parts/update.cu"

// Copy the record of each model's next batch, the number of the step and its learning rate to where
// the other kernels read them. Read the queries with one table and, after them, the sentences with
// another. `schedule`: the record of each step.
extern "C" __global__ void begin_step(const int *records, int record_size, const int *schedule,
                                      const double *rates, const long long *first_steps,
                                      int capacity, const int *done, int *batch, long long *step,
                                      double *rate, int B, int U, int S, int E,
                                      const real *query_table, const real *memory_table,
                                      int parameters, const real *encoding, real *query) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, queries = B * ((E + 3) / 4);
  int model = blockIdx.y, place = model * capacity + done[model];
  const int *record = records + (size_t)schedule[place] * record_size;
  if (i == 0) step[model] = first_steps[model] + done[model], rate[model] = rates[place];
  if (i < record_size) of_model(batch, record_size)[i] = record[i];
  if (i >= (B + U) * ((E + 3) / 4)) return;
  const real *table = of_model(i < queries ? query_table : memory_table, parameters);
  bow_reading(i, record, table, encoding, S, E, of_model(query, (B + U) * E));
}

// The gradients of the matrices and their squares and, in the same launch, the gradients of the
// sentences. `ends`: the range of each product's sums of squares; empty if its gradient is not
// complete yet. Grid: blocks of all products and then of all sentences, models.
extern "C" __global__ void __launch_bounds__(THREADS, 3)
    products_and_slots(PRODUCTS(PARAMETER) SLOTS(PARAMETER) STRIDES(PARAMETER)
                           SQUARES(PARAMETER) int sentences,
                       int rows_per_block, const int *ends, real *d_readings) {
  Strides strides = {STRIDES(VALUE)};
  CHOOSE_PRODUCT
  if (chosen < PRODUCTS_PER_LAUNCH) {
    real *element = multiply(product, block, parameter_stride);
    int place = ends[2 * chosen] + block;
    if (place < ends[2 * chosen + 1]) store_squares({SQUARES(VALUE)}, element, place);
  } else {
    int blocks = (sentences + rows_per_block - 1) / rows_per_block;
    int row = block % blocks * rows_per_block, first = first_column(block / blocks);
    if (rows_per_block == 1) {
      gather_by_block(row, first, {SLOTS(VALUE)}, strides, d_readings);
      return;
    }
    row += threadIdx.x / WARP;
    if (row < sentences) gather_by_warp(row, first, {SLOTS(VALUE)}, strides, d_readings);
  }
}

// The gradients of the tables, and a sum of squares per block.
extern "C" __global__ void words_and_squares(WORDS(PARAMETER) STRIDES(PARAMETER) SQUARES(PARAMETER)
                                                 real *d_first,
                                             real *d_second) {
  real *element = gather_word({WORDS(VALUE)}, {STRIDES(VALUE)}, d_first, d_second);
  store_squares({SQUARES(VALUE)}, element, blockIdx.x * gridDim.z + blockIdx.z);
}

// The update and, in a last block, the end of the step: sum each model's losses, add the penalty,
// and count the step.
extern "C" __global__ void noisy_adam_and_end(UPDATE(PARAMETER) const real *losses, int B,
                                              int capacity, int *done, double *step_losses) {
  Update update = {UPDATE(VALUE)};
  if (blockIdx.x + 1 < gridDim.x) {
    update_chunk(update);
    return;
  }
  losses = of_model(losses, B);
  real loss = 0;
  for (int b = threadIdx.x; b < B; b += blockDim.x) loss += losses[b];
  loss = block_sum(loss);
  real penalty = l2_penalty(update);
  if (threadIdx.x) return;
  int model = blockIdx.y;
  step_losses[model * capacity + done[model]] = loss + penalty;
  done[model]++;
}
