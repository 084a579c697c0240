// Gradient descent with a bounded norm: theta -= rate min(1, max_norm / norm) g, on some of a table's
// rows or on all. The squared norm is the sum of parts from `first` to `last`. With sums of squares, s
// += g² first, and each number's rate is divided by √s.
extern "C" __global__ void descend(real *theta, int has_rows, const int *rows, const real *gradient,
                                   int count, int width, const real *parts, int first, int last,
                                   real max_norm, real rate, int adaptive, real *squares) {
  real sum = 0;
  for (int k = first + threadIdx.x; k < last; k += blockDim.x) sum += parts[k];
  real scale = max_norm / max((real)sqrt(block_sum(sum)), max_norm);
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    size_t place = has_rows ? (size_t)rows[i / width] * width + i % width : i;
    real g = scale * gradient[i], divisor = 1;
    if (adaptive) {
      squares[place] += g * g;
      divisor = sqrt(squares[place]);
    }
    theta[place] -= rate * g / divisor;
  }
}
