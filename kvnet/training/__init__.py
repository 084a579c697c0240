"""Training: the published recipe, evaluation, and runs that can be stopped and resumed."""
