"""Random cases, drawn and shrunk by hypothesis."""

from collections.abc import Callable

import hypothesis
from hypothesis import strategies

from .cases import LARGEST_SEED


def on_random_numbers(
    check: Callable[[dict], None], options: dict[str, tuple], examples: int, seed: int
) -> None:
    """Run a check on random numbers; after a failure, on ever simpler ones that still fail.

    Parameters
    ----------
    check : callable
        Takes the numbers; notes what fails and raises. The last that it notes is the simplest.
    options : dict of str to tuple
        What each number may be, the simplest first. A seed is drawn beside them.
    examples : int
        How many to draw.
    seed : int
        Same seed, same numbers.
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
    def run(numbers):
        nonlocal failed
        try:
            check(numbers)
        except Exception:
            failed = True
            raise

    try:
        run()
    except Exception:
        if not failed:  # then it is hypothesis that cannot go on
            raise
