"""Random cases, drawn and shrunk by hypothesis."""

from collections.abc import Callable

import hypothesis
from hypothesis import strategies

from kvnet.gradcheck.cases import LARGEST_SEED


def run_random_cases(
    check: Callable[[dict], None], options: dict[str, tuple], examples: int, seed: int
) -> None:
    """Run a check on random case parameters; after a failure, shrink them while it still fails.

    Parameters
    ----------
    check : callable
        Takes the case parameters; records a failure and raises. The last failure that it records
        is the simplest.
    options : dict of str to tuple
        Options of each parameter, the simplest first. A ``seed`` is drawn in addition.
    examples : int
        Number of cases to draw.
    seed : int
        The same seed gives the same cases.
    """
    failed = False
    choices = {name: strategies.sampled_from(values) for name, values in options.items()}
    choices["seed"] = strategies.integers(0, LARGEST_SEED)

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=list(hypothesis.HealthCheck),
        phases=(hypothesis.Phase.generate, hypothesis.Phase.shrink),
    )
    @hypothesis.given(strategies.fixed_dictionaries(choices))
    def run(parameters):
        nonlocal failed
        try:
            check(parameters)
        except Exception:
            failed = True
            raise

    try:
        run()
    except Exception:
        if not failed:  # the error is hypothesis's own, not that of the check
            raise
