"""Run the survey of `python -m kvnet.gradcheck` at many seeds: no right gradient may be rejected.

Seeds that are in the output file are not run again, so that a run can be continued. With fewer
cases per variant a seed takes less time.

    python benchmarks/gradcheck_seeds.py --seeds 200 --output seeds.jsonl
"""

import argparse
import json
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy

from kvnet.gradcheck.checked_models import MODELS
from kvnet.gradcheck.checked_operations import OPERATIONS
from kvnet.gradcheck.command_line import (
    MODEL_EXAMPLES,
    OPERATION_EXAMPLES,
    available_cores,
    one_thread,
)
from kvnet.gradcheck.separate_processes import in_processes
from kvnet.gradcheck.survey import plans_for, survey_random_cases
from kvnet.gradcheck.table import failure_text


def survey_of(examples: tuple[int, int], seed: int) -> dict:
    """Check every variant of every operation and model at one seed.

    Parameters
    ----------
    examples : (int, int)
        Cases of each variant of an operation, and of a model.
    seed : int

    Returns
    -------
    line : dict
        The seed, the number of entries compared, and the text of every failure.
    """
    entries, failures = 0, []
    with one_thread():
        for subject in [*OPERATIONS.values(), *MODELS.values()]:
            cases = examples[subject.name in MODELS]
            for variant in subject.combinations():
                plans = plans_for(None, None)
                survey = survey_random_cases(subject, variant, plans, numpy, cases, seed)
                rows = [row for by_plan in survey.rows.values() for row in by_plan.values()]
                entries += sum(row.entries for row in rows)
                failures += [failure_text(survey, "numpy")] if survey.failure else []
    return {"seed": seed, "entries": entries, "failures": failures}


def main() -> int:
    """Check all seeds; return 1 if a gradient is rejected."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=200, help="seeds 0, 1, ... (default: 200)")
    parser.add_argument("--output", type=Path, required=True, help="file that is continued")
    parser.add_argument("--operation-cases", type=int, default=OPERATION_EXAMPLES)
    parser.add_argument("--model-cases", type=int, default=MODEL_EXAMPLES)
    arguments = parser.parse_args()
    started = time.perf_counter()
    arguments.output.touch()
    text = arguments.output.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    seeds = sorted(set(range(arguments.seeds)) - {line["seed"] for line in lines})
    survey = partial(survey_of, (arguments.operation_cases, arguments.model_cases))
    with (
        arguments.output.open("a", encoding="utf-8") as file,
        closing(in_processes(survey, seeds, available_cores())) as done,
    ):
        for seed, line in done:
            if not isinstance(line, dict):
                line = {"seed": seed, "entries": 0, "failures": [repr(line)]}
            lines.append(line)
            file.write(json.dumps(line) + "\n")
            file.flush()
    failures = [failure for line in lines for failure in line["failures"]]
    print(*failures, sep="\n")
    print(
        f"{len(lines)} seeds, {sum(line['entries'] for line in lines):,} entries compared, "
        f"{len(failures)} failures, {time.perf_counter() - started:.0f} s"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
