"""Run gradcheck on functions that others wrote: PyTorch's test database and JAX's modules.

Each function is checked with its framework's own gradient and with wrong forms of it, by every
method and by the peers. The table counts the false verdicts. A run that is cut off continues: what
is in the output file is not run again.

    python benchmarks/gradcheck_zoo.py --output zoo.jsonl
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

SECONDS = 120  # of one function, with all its forms and checks


def records_of(name: str) -> list[dict]:
    """Judge one function at each of its samples."""
    import numpy

    from zoo import jax_functions, torch_functions
    from zoo.verdicts import judge

    source = torch_functions if name.startswith("torch.") else jax_functions
    with numpy.errstate(all="ignore"):
        try:
            found = source.functions(name)
        except Exception as error:
            return [{"name": name, "unusable": f"{type(error).__name__}: {error}"[:300]}]
        records = []
        for function in found:
            try:
                records.append(judge(function))
            except Exception as error:
                message = f"{type(error).__name__}: {error}"[:300]
                records.append({"name": function.name, "unusable": message})
        return records or [{"name": name, "unusable": "no sample with a gradient in float64"}]


def run(path: Path, only: str, workers: int) -> None:
    """Judge all functions that are not in the file yet, and add them to it."""
    from kvnet.gradcheck.separate_processes import Lost, in_processes
    from zoo import jax_functions, torch_functions

    done = {json.loads(line)["function"] for line in path.read_text().splitlines()}
    names = [*torch_functions.names(), *jax_functions.names()]
    names = [name for name in names if only in name and name not in done]
    with path.open("a") as file:
        for name, outcome in in_processes(records_of, names, workers, SECONDS):
            if isinstance(outcome, Lost):
                outcome = [{"name": name, "unusable": outcome.reason}]
            file.write(json.dumps({"function": name, "records": outcome}) + "\n")
            file.flush()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, required=True, help="JSON lines file")
    parser.add_argument("--only", default="", help="only functions whose name contains this")
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    started = time.perf_counter()
    arguments.output.touch()
    run(arguments.output, arguments.only, arguments.workers)
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
    sys.exit(main())
