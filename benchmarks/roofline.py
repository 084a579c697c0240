"""Compare a fused training step with lower bounds on its time on this machine.

Least work of a step over B questions with the bow reader, D = E. Every multiplication, addition or
other operation on a value counts as one operation:

- sentences: 2 E per real word (weight, add) forward, and as many backward;
- per hop, forward: ``u A`` and ``o Aᵀ`` 2 B F D each, ``s Rᵀ`` 2 B F F, temporal encodings 2 B M D
  for the scores and as many for the sum, 2 D per filled slot for the scores and as many for the
  sum, the softmax 4 B M;
- before and after the hops: ``q Aᵀ`` 2 B F D, ``u B`` 2 B F E, scores 2 B E V, cross entropy 4 B V;
- backward: each of the two gradients of a product costs as much as the product, and the softmaxes
  cost 4 per value again;
- per parameter: 26, of which penalty and its gradient 4, norm 2, clipping 1, Box-Muller 6 (a
  function counts as one), adding the noise 1, Adam 12. Drawing random bits is integer work and is
  not counted.

Least memory traffic: parameters and both means are read and written, the gradient is written and
read, 32 bytes per parameter; in addition the indices of the batch. Everything else fits in the
caches.

    python benchmarks/roofline.py --data-dir tasks_1-20_v1-2/en
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from statistics import fmean, median
from typing import NamedTuple

import numpy
from numba import njit
from peers.worker import Worker
from peers.workload import CONFIGS, BabiSpec, Workload
from threadpoolctl import threadpool_limits

from kvnet.cli.arguments import ArgumentParser, check_writable, whole_number
from kvnet.cli.exit_code import exit_code
from kvnet.data.batch import Batch
from kvnet.files.atomic_file import write_atomically
from kvnet.updates.noisy_adam import NOISE_DEVIATION

OPERATIONS_PER_PARAMETER = 26
BYTES_PER_PARAMETER = 32
LARGE = 2000
FLOATS = {"L2 cache": 64 << 10, "memory": 32 << 20}  # size of each of two arrays per thread
SECONDS = 0.05
EPOCHS_PER_ROUND = 4
BOUNDS = {  # labels of the keys that `bounds` returns
    "all_operations_at_large_product_rate": "all operations at the rate of a large product",
    "own_products_then_the_rest_at_that_rate": "small products at their own rate, rest as above",
    "bytes_from_the_L2_cache": "all bytes from the L2 cache",
    "bytes_from_memory": "all bytes from memory",
}


class Product(NamedTuple):
    """Matrix products of one shape, ``(rows, inner) @ (inner, columns)``.

    Attributes
    ----------
    rows, inner, columns : int
    count : int
        Number of these products in a step, forward and backward.
    """

    rows: int
    inner: int
    columns: int
    count: int

    @property
    def operations(self) -> int:
        """Operations of one product."""
        return 2 * self.rows * self.inner * self.columns


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code."""
    parser = ArgumentParser(description=__doc__.partition("\n")[0])
    configs = [name for name, recipe in CONFIGS.items() if recipe.reader == "bow"]
    parser.add_argument("--config", choices=configs, default="joint", help="what to train (joint)")
    parser.add_argument(
        "--task", type=whole_number(1, 20), default=1, help="task of --config single (1)"
    )
    parser.add_argument(
        "--data-dir", help="folder of bAbI files ($KVNET_DATA; without it, generated questions)"
    )
    parser.add_argument("--rounds", type=whole_number(1), default=5, help="timed rounds (5)")
    parser.add_argument("--json", help="file to write all figures to")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    return exit_code(parser.prog, lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.json:
        check_writable("--json", arguments.json)
    spec = BabiSpec(arguments.config, arguments.task, arguments.data_dir)
    workload = Workload(spec)
    work = least_work(workload)
    print(f"a step of {workload.recipe.batch_size} questions needs at least")
    for name, amount in work.items():
        print(f"  {name:44} {amount:12,.0f}")
    results = []
    for threads in range(1, min(2, len(os.sched_getaffinity(0))) + 1):
        machine = measure_machine(workload, threads)
        machine["step"] = measure_step(spec, workload, threads, arguments.rounds)
        results.append({"threads": threads} | machine | bounds(work, machine))
        print(report(results[-1]))
    if arguments.json:
        content = {"config": arguments.config, "least_work": work, "results": results}
        write_atomically(arguments.json, (json.dumps(content, indent=1) + "\n").encode())
    return 0


def products(workload: Workload) -> list[Product]:
    """Return the dense products of a step; gradients have permuted shapes of the same products."""
    s, sizes = workload.recipe, workload.sizes
    B, E, F, H = s.batch_size, s.embedding_size, s.feature_size, s.hops
    M, V = sizes.memory_size, workload.vocabulary_size
    return [
        Product(B, E, F, 3 * (1 + 2 * H)),  # q Aᵀ; u A and o Aᵀ of every hop
        Product(B, F, F, 3 * H),  # s Rᵀ
        Product(B, E, M, 3 * 2 * H),  # temporal encodings: scores and sum
        Product(B, F, E, 3),  # u B
        Product(B, E, V, 3),  # word scores
    ]


def least_work(workload: Workload) -> dict[str, float]:
    """Return the operations and bytes of a mean step by part; formulas: see the module."""
    s, sizes = workload.recipe, workload.sizes
    B, E, H = s.batch_size, s.embedding_size, s.hops
    parameters = sum(theta.size for theta in workload.starting_weights().values())
    words = fmean(_words(batch) for batch in workload.batches)
    slots = fmean(numpy.count_nonzero(batch.keys) for batch in workload.batches)
    return {
        "dense products, operations": sum(p.count * p.operations for p in products(workload)),
        "filled slots, operations": 3 * H * 2 * (2 * E * slots),
        "words, operations": 2 * (2 * E * words),
        "softmaxes, operations": 8 * (H * B * sizes.memory_size + B * workload.vocabulary_size),
        "update, operations": OPERATIONS_PER_PARAMETER * parameters,
        "bytes": BYTES_PER_PARAMETER * parameters + fmean(map(_index_bytes, workload.batches)),
    }


def _words(batch: Batch) -> int:
    return numpy.count_nonzero(batch.sentences) + numpy.count_nonzero(batch.query)


def _index_bytes(batch: Batch) -> int:
    return sum(a.nbytes for a in (batch.query, batch.sentences, batch.keys, batch.answer))


def measure_machine(workload: Workload, threads: int) -> dict:
    """Return the rates of a large product and of the step's products, and the bandwidth."""
    with threadpool_limits(1):  # one thread computes the products of a block of questions
        own = [(p, seconds_of(p)) for p in products(workload)]
    with threadpool_limits(threads):
        large = Product(LARGE, LARGE, LARGE, 1)
        return {
            "large_product_rate": large.operations / seconds_of(large),
            "own_products": [
                {"shape": p[:3], "count": p.count, "rate": p.operations / seconds}
                for p, seconds in own
            ],
            "own_products_seconds": sum(p.count * seconds for p, seconds in own) / threads,
            "bandwidth": {name: bandwidth(n, threads) for name, n in FLOATS.items()},
        }


def seconds_of(product: Product) -> float:
    """Return the time of NumPy's product of a shape; for small shapes mostly call overhead."""
    random = numpy.random.default_rng(0)
    x = random.random((product.rows, product.inner), numpy.float32)
    y = random.random((product.inner, product.columns), numpy.float32)
    out = numpy.empty((product.rows, product.columns), numpy.float32)
    return fastest(partial(numpy.matmul, x, y, out=out))


def fastest(function: Callable[[], object]) -> float:
    """Return the time of a call: the best of five repetitions of `SECONDS` each."""
    function()
    began = time.perf_counter()
    function()
    count = max(1, round(SECONDS / max(time.perf_counter() - began, 1e-7)))

    def repetition():
        began = time.perf_counter()
        for _ in range(count):
            function()
        return (time.perf_counter() - began) / count

    return min(repetition() for _ in range(5))


@njit(nogil=True)
def _add_scaled(x, y, times):
    for k in range(times):
        for i in range(x.size):
            y[i] += numpy.float32(k) * x[i]  # k prevents the compiler from merging the passes


def bandwidth(floats: int, threads: int) -> float:
    """Return the bytes per second of ``y += k x`` in all threads, each with its own arrays."""
    arrays = [numpy.ones((2, floats), numpy.float32) for _ in range(threads)]
    passes = max(1, (64 << 20) // floats)  # so that both sizes move the same number of bytes
    with ThreadPoolExecutor(threads) as pool:

        def run():
            list(pool.map(lambda pair: _add_scaled(pair[0], pair[1], passes), arrays))

        return threads * passes * 3 * 4 * floats / fastest(run)  # two floats read, one written


def measure_step(spec: BabiSpec, workload: Workload, threads: int, rounds: int) -> float:
    """Return the time of a fused training step: the median of rounds of some epochs each."""
    steps = EPOCHS_PER_ROUND * workload.steps_per_epoch
    with closing(Worker("fused", threads, spec)) as worker:
        worker("start", workload.clip_norm, NOISE_DEVIATION)
        worker("warm_up", range(steps))
        spans = [range(r * steps, (r + 1) * steps) for r in range(1, rounds + 1)]
        return median(worker.timed("train", span)[1] / steps for span in spans)


def bounds(work: dict, machine: dict) -> dict[str, float]:
    """Return the lower bounds on the time of a step, in seconds."""
    operations = sum(amount for name, amount in work.items() if name != "bytes")
    dense = work["dense products, operations"]
    rate = machine["large_product_rate"]
    return {
        "all_operations_at_large_product_rate": operations / rate,
        "own_products_then_the_rest_at_that_rate": machine["own_products_seconds"]
        + (operations - dense) / rate,
        "bytes_from_the_L2_cache": work["bytes"] / machine["bandwidth"]["L2 cache"],
        "bytes_from_memory": work["bytes"] / machine["bandwidth"]["memory"],
    }


def report(result: dict) -> str:
    """Return the measurements, and each bound as a share of the time of a step, as text."""
    lines = [f"\nthreads: {result['threads']}"]
    lines.append(
        f"  sgemm, {LARGE} squared: {result['large_product_rate'] / 1e9:.1f} G operations/s"
    )
    for p in result["own_products"]:
        shape = " x ".join(map(str, p["shape"]))
        lines.append(
            f"  sgemm, {shape}: {p['rate'] / 1e9:.1f} G operations/s, {p['count']} per step"
        )
    for name, rate in result["bandwidth"].items():
        lines.append(f"  y += k x in {name}: {rate / 1e9:.1f} GB/s")
    lines.append(f"  fused step: {1e6 * result['step']:.0f} µs; lower bounds and their shares:")
    for key, label in BOUNDS.items():
        share = result[key] / result["step"]
        lines.append(f"    {label:52} {1e6 * result[key]:6.0f} µs {share:6.1%}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
