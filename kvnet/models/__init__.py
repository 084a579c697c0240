"""The published models."""

from kvnet.models.key_value_memory_network import Batch, KeyValueMemoryNetwork
from kvnet.models.memn2n import MemN2N
from kvnet.models.memn2n_language_model import Context, MemN2NLanguageModel

__all__ = ["Batch", "Context", "KeyValueMemoryNetwork", "MemN2N", "MemN2NLanguageModel"]
