"""kvnet: memory networks from scratch, with every gradient written by hand and proven.

To answer questions: `QuestionAnswerer`, with `Example` and a recipe. To answer them from a base of
facts: `FactAnswerer`, with `KnowledgeBase`. To continue text: `TextContinuer`. To study the parts:
`kvnet.operations`, `kvnet.updates`, `kvnet.models`, `kvnet.training` and `kvnet.gradcheck`.
"""

from typing import TYPE_CHECKING

from kvnet.errors import InputError
from kvnet.version import __version__

if TYPE_CHECKING:  # for editors; at run time, `__getattr__` imports these when one is used
    from kvnet.public import (
        FACT_PRESETS,
        KEY_VALUE_PRESETS,
        MEMN2N_PRESETS,
        Answer,
        Example,
        Fact,
        FactAnswer,
        FactAnswerer,
        FactChainRecipe,
        KeyValueRecipe,
        KnowledgeBase,
        LanguageModelRecipe,
        MemN2NRecipe,
        NextWord,
        QuestionAnswerer,
        TextContinuer,
        read_key_value_examples,
    )

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


def __getattr__(name: str):
    """Import the public names when one of them is used: `kvnet.gradcheck` needs NumPy only."""
    if name not in __all__:
        raise AttributeError(f"module 'kvnet' has no attribute {name!r}")
    import kvnet.public as public

    globals().update({each: getattr(public, each) for each in public.__all__})
    return globals()[name]


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return sorted({*globals(), *__all__})
