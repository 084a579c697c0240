"""Fused forms of the operations that dense products cannot express."""
