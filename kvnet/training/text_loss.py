"""How well a language model foretells a text."""

from kvnet.data.text import Text
from kvnet.models.memn2n_language_model import MemN2NLanguageModel

TARGETS_AT_A_TIME = 128


def text_loss(model: MemN2NLanguageModel, text: Text) -> float:
    """Return the mean cross entropy of a word, each word that has a whole context counted once.

    Parameters
    ----------
    model : MemN2NLanguageModel
    text : Text

    Returns
    -------
    loss : float
        Natural logarithm: its exponential is the perplexity.
    """
    first, last = text.mem_size, len(text)
    starts = range(first, last, TARGETS_AT_A_TIME)
    losses = [
        model.loss(text.batch(model.xp.arange(n, min(n + TARGETS_AT_A_TIME, last)))) for n in starts
    ]
    return sum(map(float, losses)) / (last - first)
