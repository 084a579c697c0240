"""Training: the published recipes, evaluation, and runs that can be stopped and resumed."""
