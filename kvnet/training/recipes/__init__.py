"""Recipes: the hyper-parameters of a model and of its training."""
