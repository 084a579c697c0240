"""kvnet: memory networks from scratch, with every gradient written by hand and proven.

To answer questions: `QuestionAnswerer`, with `Example` and a recipe. To continue text:
`TextContinuer`. To study the parts: `kvnet.operations`, `kvnet.updates`, `kvnet.models`,
`kvnet.training` and `kvnet.gradcheck`.
"""

from kvnet.data.example import Example
from kvnet.data.key_value_format import read_key_value_examples
from kvnet.errors import InputError
from kvnet.question_answerer import Answer, QuestionAnswerer
from kvnet.text_continuer import NextWord, TextContinuer
from kvnet.training.recipes.key_value import KEY_VALUE_PRESETS, KeyValueRecipe
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NRecipe
from kvnet.version import __version__

__all__ = [
    "KEY_VALUE_PRESETS",
    "MEMN2N_PRESETS",
    "Answer",
    "Example",
    "InputError",
    "KeyValueRecipe",
    "LanguageModelRecipe",
    "MemN2NRecipe",
    "NextWord",
    "QuestionAnswerer",
    "TextContinuer",
    "__version__",
    "read_key_value_examples",
]
