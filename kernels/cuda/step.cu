// What a training step of several starts has besides the operations: its batch, and its count. A
// batch is a record of whole numbers: words of the B queries and of the U sentences, then the slots'
// rows and the answers.

// Put the record of each start's next batch, the step's number and its learning rate where the other
// kernels look, and read the queries with one table and the sentences with another.
extern "C" __global__ void begin_step(const int *records, int record_size, const int *order,
                                      const double *rates, const long long *first_steps,
                                      int capacity, const int *done, int *batch, long long *step,
                                      double *rate, int B, int U, int S, int E,
                                      const real *query_table, const real *memory_table,
                                      int parameters, const real *encoding, real *readings) {
  int i = blockIdx.x * blockDim.x + threadIdx.x, n = i / E;
  int start = blockIdx.y, place = start * capacity + done[start];
  const int *record = records + (size_t)order[place] * record_size;
  if (i == 0) step[start] = first_steps[start] + done[start], rate[start] = rates[place];
  if (i < record_size) of_start(batch, record_size)[i] = record[i];
  if (n >= B + U) return;
  const real *table = of_start(n < B ? query_table : memory_table, parameters);
  of_start(readings, (B + U) * E)[i] = reading(record + n * S, table, encoding, S, E, i % E);
}

#define SQUARES const real *theta, const real *gradient, real l2, real *squares, int parts
#define SQUARES_GIVEN {theta, gradient, l2, squares, parts}

// The matrices' gradients and their squares, and beside them the gradients of the sentences in the
// slots. `ends`: from which to which part a product's squares go; none where there is more to come.
extern "C" __global__ void products_and_slots(PRODUCTS, SLOT_PLACES, int sentences,
                                              const int *ends, SQUARES) {
  if (blockIdx.z < PRODUCTS_A_LAUNCH) {
    MAKE_PRODUCTS
    int part = ends[2 * blockIdx.z] + blockIdx.x;
    if (part < ends[2 * blockIdx.z + 1]) leave_squares(SQUARES_GIVEN, number, part);
  } else if ((int)blockIdx.x < sentences) {
    int first = first_column(blockIdx.z - PRODUCTS_A_LAUNCH);
    gather_slots_of(blockIdx.x, first, SLOT_PLACES_GIVEN, batch, readings);
  }
}

// The tables' gradients, a part of the squares a block.
extern "C" __global__ void words_and_squares(WORDS, SQUARES) {
  real *number = gather_words_of(WORDS_GIVEN);
  leave_squares(SQUARES_GIVEN, number, blockIdx.x * gridDim.z + blockIdx.z);
}

// Sum each start's loss, the penalty in it, and count its step.
__device__ void end_step(const real *losses, int B, const real *squares, int parts, real l2,
                         int capacity, int *done, double *step_losses) {
  losses = of_start(losses, B), squares = of_start(squares, 2 * parts) + parts;
  real entropy = 0, penalty = 0;
  for (int b = threadIdx.x; b < B; b += blockDim.x) entropy += losses[b];
  for (int k = threadIdx.x; k < parts; k += blockDim.x) penalty += squares[k];
  entropy = block_sum(entropy), penalty = block_sum(penalty);
  if (threadIdx.x) return;
  int start = blockIdx.y;
  step_losses[start * capacity + done[start]] = entropy + (real)0.5 * l2 * penalty;
  done[start]++;
}

// The update, and beside it the step's end, in a last block of its own.
extern "C" __global__ void noisy_adam_and_end(UPDATE, const real *losses, int B, int capacity,
                                              int *done, double *step_losses) {
  if (blockIdx.x + 1 < gridDim.x)
    update_chunk(UPDATE_GIVEN);
  else
    end_step(losses, B, squares, parts, l2, capacity, done, step_losses);
}
