"""kvnet: memory networks from scratch, with every gradient written by hand and proven.

To answer questions: `QuestionAnswerer`, with `Example` and a recipe. To answer them from a base of
facts: `FactAnswerer`, with `KnowledgeBase`. To continue text: `TextContinuer`. To study the parts:
`kvnet.operations`, `kvnet.updates`, `kvnet.models`, `kvnet.training` and `kvnet.gradcheck`.
"""

from kvnet.data.example import Example
from kvnet.data.key_value_format import read_key_value_examples
from kvnet.data.knowledge_base import Fact, KnowledgeBase
from kvnet.errors import InputError
from kvnet.fact_answerer import FactAnswer, FactAnswerer
from kvnet.question_answerer import Answer, QuestionAnswerer
from kvnet.text_continuer import NextWord, TextContinuer
from kvnet.training.recipes.facts import FACT_PRESETS, FactChainRecipe
from kvnet.training.recipes.key_value import KEY_VALUE_PRESETS, KeyValueRecipe
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NRecipe
from kvnet.version import __version__

__all__ = [
    "FACT_PRESETS",
    "KEY_VALUE_PRESETS",
    "MEMN2N_PRESETS",
    "Answer",
    "Example",
    "Fact",
    "FactAnswer",
    "FactAnswerer",
    "FactChainRecipe",
    "InputError",
    "KeyValueRecipe",
    "KnowledgeBase",
    "LanguageModelRecipe",
    "MemN2NRecipe",
    "NextWord",
    "QuestionAnswerer",
    "TextContinuer",
    "__version__",
    "read_key_value_examples",
]
