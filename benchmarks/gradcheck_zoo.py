"""Run gradcheck on functions that others wrote: PyTorch's test database and JAX's modules.

Each function is checked with its framework's own gradient and with wrong forms of it, by every
method, by torch.autograd.gradcheck and by jax.test_util.check_grads. The tables count the false
verdicts. Functions that are in the output file are not run again, so that a run can be continued.

    python benchmarks/gradcheck_zoo.py --output zoo.jsonl
"""

import argparse
import json
import os
import sys
import time
import warnings
from pathlib import Path

import numpy

from kvnet.gradcheck.separate_processes import Lost, in_processes

SECONDS = 120  # for one function with all its forms and checks


def records_of(name: str) -> list[dict]:
    """Judge one function at each of its samples."""
    from zoo import jax_functions, torch_functions
    from zoo.verdicts import judge

    source = torch_functions if name.startswith("torch.") else jax_functions
    records = []
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for function in source.functions(name):
            try:
                records.append(judge(function))
            except Exception as error:
                records.append({"name": function.name, "unusable": _described(error)})
    return records or [{"name": name, "unusable": "no sample with a gradient in float64"}]


def _described(error):
    return f"{type(error).__name__}: {error}"[:300]


def run(path: Path, only: str) -> None:
    """Judge all functions that are not in the file yet, and add them to it."""
    from zoo import jax_functions, torch_functions

    done = {line["function"] for line in lines_of(path)}
    names = [*torch_functions.names(), *jax_functions.names()]
    names = [name for name in names if only in name and name not in done]
    with path.open("a") as file:
        for name, outcome in in_processes(records_of, names, os.cpu_count() or 1, SECONDS):
            if isinstance(outcome, Lost):
                outcome = [{"name": name, "unusable": outcome.reason}]
            if isinstance(outcome, Exception):
                outcome = [{"name": name, "unusable": _described(outcome)}]
            file.write(json.dumps({"function": name, "records": outcome}) + "\n")
            file.flush()


def lines_of(path: Path) -> list[dict]:
    """Read the lines of a file, except for one that was cut off."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]


def main() -> int:
    """Judge all functions and print the tables; return 1 if a verdict of a method is false."""
    from zoo import tables

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--output", type=Path, required=True, help="file of results, which is continued"
    )
    parser.add_argument("--only", default="", help="only functions whose name contains this")
    parser.add_argument("--before", type=Path, help="results to compare the tolerances with")
    parser.add_argument("--list", action="store_true", help="list every false verdict")
    arguments = parser.parse_args()
    started = time.perf_counter()
    arguments.output.touch()
    run(arguments.output, arguments.only)
    lines = [line for line in lines_of(arguments.output) if arguments.only in line["function"]]
    records = [record for line in lines for record in line["records"]]
    chosen = tables.usable(records)
    before = arguments.before and [
        record for line in lines_of(arguments.before) for record in line["records"]
    ]
    print(f"{len(lines)} functions, {len(chosen)} samples, {time.perf_counter() - started:.0f} s\n")
    if not chosen:
        return 0
    print(f"{tables.verdict_table(records)}\n")
    print(f"{tables.kink_table(records)}\n")
    print(f"{tables.tolerance_table(records, before)}\n")
    print("left out:", *tables.left_out(records), sep="\n  ")
    false = [each for each in tables.false_verdicts(records) if each[1] in tables.METHODS]
    if arguments.list:
        print("false verdicts:", *(" | ".join(each) for each in false), sep="\n  ")
    return 1 if false else 0


if __name__ == "__main__":
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    sys.exit(main())
