"""Training runs to their end, without progress."""

from kvnet.training.run import train_runs


def train(*runs):
    """Train runs side by side to their end."""
    assert train_runs(runs, on_steps=lambda count: None, stop_requested=lambda: False)


def train_for(run, steps):
    """Train a run and request a stop after about some steps."""
    assert not train_runs([run], lambda count: None, lambda: run.trainer.step >= steps)
