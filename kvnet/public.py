"""The names that ``import kvnet`` offers; `kvnet` imports this module when one of them is used."""

from kvnet.data.example import Example
from kvnet.data.key_value_format import read_key_value_examples
from kvnet.question_answerer import Answer, QuestionAnswerer
from kvnet.text_continuer import NextWord, TextContinuer
from kvnet.training.recipes.key_value import KEY_VALUE_PRESETS, KeyValueRecipe
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NRecipe

__all__ = [
    "KEY_VALUE_PRESETS",
    "MEMN2N_PRESETS",
    "Answer",
    "Example",
    "KeyValueRecipe",
    "LanguageModelRecipe",
    "MemN2NRecipe",
    "NextWord",
    "QuestionAnswerer",
    "TextContinuer",
    "read_key_value_examples",
]
