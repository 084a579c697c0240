"""Batches and epochs for few questions."""

from dataclasses import replace

from kvnet.training.recipes.recipe import Recipe

LEAST_STEPS = 3000
"""Fewer are enough for the sentences that are trained on, but not for other wordings."""
STEPS_PER_EPOCH = 16
LEAST_BATCH = 8


def with_enough_steps(recipe: Recipe, questions: int) -> Recipe:
    """Return a recipe with smaller batches and more epochs if there are few questions.

    Parameters
    ----------
    recipe : Recipe
    questions : int
        Training questions.

    Returns
    -------
    recipe : Recipe
        Of at least 3,000 steps. With at most ten evaluations if it has more epochs.
    """
    batch_size = min(recipe.batch_size, max(LEAST_BATCH, questions // STEPS_PER_EPOCH))
    epochs = -(-LEAST_STEPS // max(1, questions // batch_size))
    if epochs <= recipe.epochs:
        return recipe
    return replace(
        recipe, batch_size=batch_size, epochs=epochs, evaluation_interval=-(-epochs // 10)
    )
