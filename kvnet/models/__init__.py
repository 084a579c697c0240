"""The published models."""

from kvnet.models.key_value_memory_network import Batch, KeyValueMemoryNetwork

__all__ = ["Batch", "KeyValueMemoryNetwork"]
