"""Operations: a function computes the forward pass and returns ``(output, backward)``.

``backward`` takes the gradient of the output and returns those of the inputs, in their order. Every
function takes the array module first (``xp``: NumPy or CuPy), runs in the dtype it is given and,
forward, on complex numbers too.
"""

from kvnet.operations.addressing import address
from kvnet.operations.adjacent_read import adjacent_read
from kvnet.operations.answer_loss import answer_loss
from kvnet.operations.context_read import context_read, layerwise_read
from kvnet.operations.cross_entropy import cross_entropy
from kvnet.operations.dropout import dropout
from kvnet.operations.embedding_lookup import embedding_lookup
from kvnet.operations.embedding_sum import embedding_sum
from kvnet.operations.gru import gru
from kvnet.operations.gru_reading import gru_reading
from kvnet.operations.hop import hop
from kvnet.operations.l2_penalty import l2_penalty
from kvnet.operations.linear import linear
from kvnet.operations.memory_read import memory_read
from kvnet.operations.partial_relu import partial_relu
from kvnet.operations.position_encoding import (
    centred_position_encoding,
    own_length_encoding,
    position_encoding,
)
from kvnet.operations.read_slots import fill_slots, read_slots
from kvnet.operations.softmax import softmax
from kvnet.operations.summed_slots import adjacent_slots, layerwise_slots, sum_slots
from kvnet.operations.word_cross_entropy import word_cross_entropy
from kvnet.operations.word_scores import word_scores

__all__ = [
    "address",
    "adjacent_read",
    "adjacent_slots",
    "answer_loss",
    "centred_position_encoding",
    "context_read",
    "cross_entropy",
    "dropout",
    "embedding_lookup",
    "embedding_sum",
    "fill_slots",
    "gru",
    "gru_reading",
    "hop",
    "l2_penalty",
    "layerwise_read",
    "layerwise_slots",
    "linear",
    "memory_read",
    "own_length_encoding",
    "partial_relu",
    "position_encoding",
    "read_slots",
    "softmax",
    "sum_slots",
    "word_cross_entropy",
    "word_scores",
]
