"""The published models."""

from kvnet.models.key_value_memory_network import KeyValueConfig, KeyValueMemoryNetwork
from kvnet.models.load_model import load_model
from kvnet.models.memn2n import MemN2N, MemN2NConfig
from kvnet.models.memn2n_language_model import LanguageModelConfig, MemN2NLanguageModel

__all__ = [
    "KeyValueConfig",
    "KeyValueMemoryNetwork",
    "LanguageModelConfig",
    "MemN2N",
    "MemN2NConfig",
    "MemN2NLanguageModel",
    "load_model",
]
