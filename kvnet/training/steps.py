"""Training steps, one after another."""


def take_steps(trainer, count: int):
    """Take a trainer's next steps: a batch's gradient, then the update, and on to the next batch.

    Parameters
    ----------
    trainer : Trainer
        Its model and optimiser are changed; ``trainer.step`` steps are done before these.
    count : int
        How many.

    Returns
    -------
    losses : (count,) float64 array
        Each step's loss, summed over its batch.
    """
    model, losses = trainer.model, []
    for step in range(trainer.step, trainer.step + count):
        epoch = step // trainer.batches.steps_per_epoch
        options = trainer.settings.loss_options(step, epoch)
        loss, gradient = model.loss_and_gradient(trainer.batch(step), **options)
        trainer.optimizer.update(gradient, step)
        losses.append(loss.astype("float64"))
    return model.xp.stack(losses)


def take_steps_side_by_side(trainers, count: int) -> list:
    """Take the next steps of several trainers, one trainer after another.

    Parameters
    ----------
    trainers : sequence of Trainer
        On one array module.
    count : int
        As for `take_steps`, for each.

    Returns
    -------
    losses : list of (count,) float64 array
    """
    return [trainer.model.operations.take_steps(trainer, count) for trainer in trainers]
