"""Functions of other frameworks with right and wrong gradients, and the verdicts on them."""
