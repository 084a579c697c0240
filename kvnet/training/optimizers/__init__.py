"""Optimisers: an update with its state and its learning rate."""
