"""Random parameters of cases, and the simplest parameters of a case that fails."""

from collections.abc import Callable

import numpy

from kvnet.gradcheck.cases import LARGEST_SEED

SIMPLE_SEEDS = (0, 1, 2)


def random_cases(options: dict[str, tuple], examples: int, seed: int) -> list[dict]:
    """Draw case parameters; every option occurs once before any occurs again.

    Parameters
    ----------
    options : dict of str to tuple
        Options of each parameter. A ``seed`` is drawn in addition.
    examples : int
        Number of cases.
    seed : int
        The same seed gives the same cases.

    Returns
    -------
    cases : list of dict
    """
    rng = numpy.random.default_rng(seed)
    columns = {}
    for name, values in options.items():
        rounds = [rng.permutation(len(values)) for _ in range(0, examples, len(values))]
        columns[name] = [values[index] for index in numpy.concatenate(rounds)]
    columns["seed"] = [int(s) for s in rng.integers(0, LARGEST_SEED, examples, endpoint=True)]
    return [{name: column[i] for name, column in columns.items()} for i in range(examples)]


def simplest_failure(
    fails: Callable[[dict], bool], options: dict[str, tuple], parameters: dict
) -> dict:
    """Simplify the parameters of a case that fails, one after the other, while it still fails.

    Parameters
    ----------
    fails : callable
        Takes the parameters of a case.
    options : dict of str to tuple
        Options of each parameter, the simplest first.
    parameters : dict
        Those of a case that fails.

    Returns
    -------
    parameters : dict
        No single parameter can be replaced by a simpler one without the failure being lost.
    """
    options = {**options, "seed": (*SIMPLE_SEEDS, parameters["seed"])}
    simplified = True
    while simplified:
        simplified = False
        for name, values in options.items():
            for value in values[: values.index(parameters[name])]:
                if fails(parameters | {name: value}):
                    parameters, simplified = parameters | {name: value}, True
                    break
    return parameters
