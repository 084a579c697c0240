// CUDA C as C++ for the CPU: the threads of a block are fibers that take turns at barriers.
// One block runs at a time, so shared memory is static memory.
#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#define __global__
#define __device__ inline
#define __shared__ static
#define __forceinline__
#define __launch_bounds__(...)
#define DYNAMIC_SHARED(name) real *name = (real *)host::dynamic_shared

struct dim3 {
  unsigned x, y, z;
};
static dim3 threadIdx, blockIdx, blockDim, gridDim;

using std::max;
using std::min;

static inline void sincospi(double x, double *s, double *c) {
  *s = sin(M_PI * x);
  *c = cos(M_PI * x);
}
static inline void sincospi(float x, float *s, float *c) {
  *s = (float)sin(M_PI * (double)x);
  *c = (float)cos(M_PI * (double)x);
}
static inline unsigned __umulhi(unsigned a, unsigned b) {
  return (unsigned)(((uint64_t)a * b) >> 32);
}
static inline int __popc(unsigned bits) { return __builtin_popcount(bits); }

namespace host {
enum State { READY, AT_BLOCK_BARRIER, AT_WARP_BARRIER, DONE };
constexpr size_t STACK = 64 << 10;

struct Fiber {
  jmp_buf place;  // where it continues; only the start needs setcontext, which is a system call
  bool begun;
  State state;
  std::vector<char> stack;
  int exchanges;
};
static std::vector<Fiber> fibers;  // kept from one launch to the next
static jmp_buf scheduler;
static int current;
static std::vector<double> mail;  // per thread, for two exchanges: the next one may begin early
static void *dynamic_shared;

static void wait(State state) {
  Fiber &fiber = fibers[current];
  fiber.state = state;
  if (!_setjmp(fiber.place)) _longjmp(scheduler, 1);
}

template <class T>
static const T *exchange(T value) {
  Fiber &fiber = fibers[current];
  double *box = &mail[(fiber.exchanges++ % 2) * fibers.size()];
  std::memcpy(&box[current], &value, sizeof value);
  int first = current / WARP * WARP;
  wait(AT_WARP_BARRIER);
  return (const T *)&box[first];
}

// Release the threads that wait at a barrier that all have reached; false if there are none.
static bool release() {
  int threads = (int)fibers.size();
  bool any = false, all = true;
  for (Fiber &fiber : fibers) all = all && fiber.state == AT_BLOCK_BARRIER;
  if (all) {
    for (Fiber &fiber : fibers) fiber.state = READY;
    return true;
  }
  for (int first = 0; first < threads; first += WARP) {
    int last = min(first + WARP, threads);
    bool warp = true;
    for (int t = first; t < last; t++) warp = warp && fibers[t].state == AT_WARP_BARRIER;
    for (int t = first; warp && t < last; t++) fibers[t].state = READY;
    any = any || warp;
  }
  return any;
}
}  // namespace host

static inline void __syncthreads() { host::wait(host::AT_BLOCK_BARRIER); }
static inline void __syncwarp() { host::wait(host::AT_WARP_BARRIER); }
template <class T>
static inline T __shfl_xor_sync(unsigned, T value, int mask) {
  int lane = host::current % WARP;
  const T *box = host::exchange(value);
  T received;
  std::memcpy(&received, (const double *)box + (lane ^ mask), sizeof received);
  return received;
}
static inline unsigned __ballot_sync(unsigned, int predicate) {
  const int *box = host::exchange(predicate);
  unsigned bits = 0;
  for (int lane = 0; lane < WARP; lane++) {
    int yes;
    std::memcpy(&yes, (const double *)box + lane, sizeof yes);
    bits |= (unsigned)(yes != 0) << lane;
  }
  return bits;
}

namespace host {
// A type as NumPy's kind and size, such as i4, after * for a pointer.
template <class T>
static std::string code_of() {
  using Value = std::remove_cv_t<std::remove_pointer_t<T>>;
  if (std::is_pointer_v<T>) return "*" + code_of<Value>();
  bool is_bool = std::is_same_v<T, bool> || std::is_same_v<T, unsigned char>;
  char kind = is_bool ? 'b' : std::is_floating_point_v<T> ? 'f' : std::is_signed_v<T> ? 'i' : 'u';
  return kind + std::to_string(sizeof(T));
}

static void (*body)(void *);
static void *body_argument;
static void enter() {
  while (true) {
    body(body_argument);
    wait(DONE);
  }
}

static void resume(Fiber &fiber) {
  if (_setjmp(scheduler)) return;
  if (fiber.begun) _longjmp(fiber.place, 1);
  fiber.begun = true;
  ucontext_t context;
  getcontext(&context);
  fiber.stack.resize(STACK);
  context.uc_stack = {fiber.stack.data(), 0, fiber.stack.size()};
  context.uc_link = nullptr;
  makecontext(&context, enter, 0);
  setcontext(&context);
}

// Run one block; false if threads wait at a barrier that others never reach.
static bool run_block(bool in_reverse) {
  int threads = (int)fibers.size();
  for (Fiber &fiber : fibers) {
    fiber.state = READY;
    fiber.exchanges = 0;
  }
  while (true) {
    for (int n = 0; n < threads; n++) {
      current = in_reverse ? threads - 1 - n : n;
      while (fibers[current].state == READY) {
        threadIdx = {current % blockDim.x, current / blockDim.x % blockDim.y,
                     current / (blockDim.x * blockDim.y)};
        resume(fibers[current]);
      }
    }
    bool done = true;
    for (Fiber &fiber : fibers) done = done && fiber.state == DONE;
    if (done) return true;
    if (release()) continue;
    fibers.clear();  // they are in the middle of a kernel
    return false;
  }
}

template <class... A, size_t... I>
static void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
  kernel(*(A *)arguments[I]...);
}

// Returns 0, or 1 for a barrier that not all threads reach, 2 + n if argument n has another type,
// 1000 + n if the kernel takes n arguments.
template <class... A>
static int launch(void (*kernel)(A...), void **arguments, const char **codes, int count,
                  const unsigned *grid, const unsigned *block, size_t shared, bool in_reverse) {
  const std::string expected[] = {code_of<A>()...};
  if (count != (int)sizeof...(A)) return 1000 + (int)sizeof...(A);
  for (int n = 0; n < count; n++)
    if (codes[n] != expected[n]) return 2 + n;
  gridDim = {grid[0], grid[1], grid[2]};
  blockDim = {block[0], block[1], block[2]};
  size_t threads = (size_t)block[0] * block[1] * block[2];
  fibers.resize(threads);
  mail.assign(2 * (threads + WARP), 0);
  std::vector<double> memory(shared / sizeof(double) + 1);
  dynamic_shared = memory.data();
  static std::pair<void (*)(A...), void **> job;
  job = {kernel, arguments};
  body_argument = &job;
  body = [](void *argument) {
    auto *job = (std::pair<void (*)(A...), void **> *)argument;
    call(job->first, job->second, std::index_sequence_for<A...>());
  };
  unsigned blocks = grid[0] * grid[1] * grid[2];
  for (unsigned n = 0; n < blocks; n++) {
    unsigned number = in_reverse ? blocks - 1 - n : n;
    blockIdx = {number % grid[0], number / grid[0] % grid[1], number / (grid[0] * grid[1])};
    std::memset(memory.data(), 0xFF, memory.size() * sizeof(double));  // NaN, or -1
    if (!run_block(in_reverse)) return 1;
  }
  return 0;
}
}  // namespace host
