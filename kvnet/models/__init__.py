"""The published models, and their files."""

from pathlib import Path

from kvnet.errors import InputError
from kvnet.files.checkpoint import read_arrays
from kvnet.models.fact_chain_network import FactChainConfig, FactChainNetwork
from kvnet.models.fact_memory_network import FactMemoryConfig, FactMemoryNetwork
from kvnet.models.key_value_memory_network import KeyValueConfig, KeyValueMemoryNetwork
from kvnet.models.memn2n import MemN2N, MemN2NConfig
from kvnet.models.memn2n_language_model import LanguageModelConfig, MemN2NLanguageModel
from kvnet.models.network import Network, kind_of

__all__ = [
    "FactChainConfig",
    "FactChainNetwork",
    "FactMemoryConfig",
    "FactMemoryNetwork",
    "KeyValueConfig",
    "KeyValueMemoryNetwork",
    "LanguageModelConfig",
    "MemN2N",
    "MemN2NConfig",
    "MemN2NLanguageModel",
    "load_model",
]

MODELS = (FactChainNetwork, FactMemoryNetwork, KeyValueMemoryNetwork, MemN2N, MemN2NLanguageModel)
KINDS = {kind.__name__: kind for kind in MODELS}


def load_model(path: str | Path, backend: str = "numpy", kernels: str = "auto") -> Network:
    """Read a file that `Network.save` or a training wrote.

    Parameters
    ----------
    path : str or Path
    backend : {"numpy", "cupy", "auto"}, default="numpy"
    kernels : {"reference", "fused", "auto"}, default="auto"

    Returns
    -------
    model : Network
        Of the class that the file names.

    Raises
    ------
    InputError
        If the file cannot be read or names no model.
    """
    arrays, metadata = read_arrays(path)
    kind = kind_of(path, metadata)
    if kind not in KINDS:
        raise InputError(f"{path}: is a file of {kind}, not of {', '.join(KINDS)}; give another")
    return KINDS[kind].from_state(path, arrays, metadata, backend, kernels)
