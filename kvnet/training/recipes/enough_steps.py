"""Epochs for few questions."""

from dataclasses import replace

from kvnet.training.recipes.recipe import Recipe

LEAST_STEPS = 400


def with_enough_steps(recipe: Recipe, questions: int) -> Recipe:
    """Return a recipe with more epochs if there are few questions, for at least 400 steps.

    Parameters
    ----------
    recipe : Recipe
    questions : int
        Training questions.

    Returns
    -------
    recipe : Recipe
        With at most ten evaluations if it has more epochs.
    """
    epochs = -(-LEAST_STEPS // max(1, questions // recipe.batch_size))
    if epochs <= recipe.epochs:
        return recipe
    return replace(recipe, epochs=epochs, evaluation_interval=-(-epochs // 10))
