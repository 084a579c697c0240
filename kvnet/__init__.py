"""kvnet: memory networks from scratch, with every gradient written by hand and proven."""

from kvnet.question_answerer import Answer, QuestionAnswerer, example
from kvnet.data.key_value_format import read_key_value_examples
from kvnet.errors import InputError
from kvnet.models import Batch, KeyValueMemoryNetwork
from kvnet.training.recipes.key_value import PRESETS, Settings

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "Answer",
    "Batch",
    "InputError",
    "KeyValueMemoryNetwork",
    "QuestionAnswerer",
    "Settings",
    "example",
    "read_key_value_examples",
]
