"""The names that ``import kvnet`` offers; `kvnet` imports this module when one of them is used."""

from kvnet.data.example import Example
from kvnet.data.key_value_format import read_key_value_examples
from kvnet.data.knowledge_base import Fact, KnowledgeBase
from kvnet.fact_answerer import FactAnswer, FactAnswerer
from kvnet.question_answerer import Answer, QuestionAnswerer
from kvnet.text_continuer import NextWord, TextContinuer
from kvnet.training.recipes.facts import FACT_PRESETS, FactChainRecipe
from kvnet.training.recipes.key_value import KEY_VALUE_PRESETS, KeyValueRecipe
from kvnet.training.recipes.language_model import LanguageModelRecipe
from kvnet.training.recipes.memn2n import MEMN2N_PRESETS, MemN2NRecipe

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
    "KeyValueRecipe",
    "KnowledgeBase",
    "LanguageModelRecipe",
    "MemN2NRecipe",
    "NextWord",
    "QuestionAnswerer",
    "TextContinuer",
    "read_key_value_examples",
]
