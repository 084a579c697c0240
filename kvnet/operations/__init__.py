"""Operations: a function computes the forward pass and returns ``(output, ..., backward)``.

``backward`` takes the gradient of the output and returns the gradients of the inputs, in their
order. Every function takes the array module first (``xp``: NumPy or CuPy), computes in the dtype of
its inputs and, forward, also on complex numbers. A few return constants or random numbers, and no
``backward``.
"""

from kvnet.operations.address import address
from kvnet.operations.adjacent_hops import adjacent_hops
from kvnet.operations.adjacent_hops_by_row import adjacent_hops_by_row
from kvnet.operations.answer_loss import AnswerGradients, answer_loss
from kvnet.operations.answer_set_cross_entropy import answer_set_cross_entropy
from kvnet.operations.answer_set_loss import answer_set_loss
from kvnet.operations.context_hops_by_row import context_hops_by_row
from kvnet.operations.cross_entropy import cross_entropy
from kvnet.operations.dropout import dropout
from kvnet.operations.embedding_lookup import embedding_lookup
from kvnet.operations.embedding_sum import embedding_sum
from kvnet.operations.fact_answers import fact_answers
from kvnet.operations.facts import Candidates, FactIndex, FactMemories, Plan
from kvnet.operations.fill_slots import fill_slots
from kvnet.operations.find_facts import find_facts
from kvnet.operations.find_memories import find_memories
from kvnet.operations.gru import GruWeights, gru
from kvnet.operations.gru_reading import gru_reading
from kvnet.operations.hop import hop
from kvnet.operations.in_order_of_appearance import in_order_of_appearance
from kvnet.operations.key_value_hops import key_value_hops
from kvnet.operations.key_value_hops_by_row import key_value_hops_by_row
from kvnet.operations.l2_penalty import l2_penalty
from kvnet.operations.largest_by_question import largest_by_question
from kvnet.operations.layerwise_hops import layerwise_hops
from kvnet.operations.layerwise_hops_by_row import layerwise_hops_by_row
from kvnet.operations.linear import linear
from kvnet.operations.matrix_product import matrix_product
from kvnet.operations.memory import ContextMemory, Memory
from kvnet.operations.memory_answers import memory_answers
from kvnet.operations.memory_hops import memory_hops
from kvnet.operations.noisy_or import noisy_or
from kvnet.operations.normal import normal
from kvnet.operations.partial_relu import partial_relu
from kvnet.operations.position_encoding import (
    centred_position_encoding,
    own_length_encoding,
    position_encoding,
)
from kvnet.operations.read_facts import read_facts
from kvnet.operations.relation_hops import relation_hops
from kvnet.operations.right_candidates import right_candidates
from kvnet.operations.scatter_rows import scatter_rows
from kvnet.operations.sigmoid import sigmoid
from kvnet.operations.slots_with_times import slots_with_times
from kvnet.operations.softmax import softmax
from kvnet.operations.softmax_by_question import softmax_by_question
from kvnet.operations.sum_slots import sum_slots
from kvnet.operations.take_rows import take_rows
from kvnet.operations.uniform import uniform
from kvnet.operations.without_nil import without_nil
from kvnet.operations.word_cross_entropy import word_cross_entropy
from kvnet.operations.word_scores import word_scores

__all__ = [
    "AnswerGradients",
    "Candidates",
    "ContextMemory",
    "FactIndex",
    "FactMemories",
    "GruWeights",
    "Memory",
    "Operations",
    "Plan",
    "address",
    "adjacent_hops",
    "adjacent_hops_by_row",
    "answer_loss",
    "answer_set_cross_entropy",
    "answer_set_loss",
    "centred_position_encoding",
    "context_hops_by_row",
    "cross_entropy",
    "dropout",
    "embedding_lookup",
    "embedding_sum",
    "fact_answers",
    "fill_slots",
    "find_facts",
    "find_memories",
    "gru",
    "gru_reading",
    "hop",
    "in_order_of_appearance",
    "key_value_hops",
    "key_value_hops_by_row",
    "l2_penalty",
    "largest_by_question",
    "layerwise_hops",
    "layerwise_hops_by_row",
    "linear",
    "matrix_product",
    "memory_answers",
    "memory_hops",
    "noisy_or",
    "normal",
    "own_length_encoding",
    "partial_relu",
    "position_encoding",
    "read_facts",
    "relation_hops",
    "right_candidates",
    "scatter_rows",
    "sigmoid",
    "slots_with_times",
    "softmax",
    "softmax_by_question",
    "sum_slots",
    "take_rows",
    "uniform",
    "without_nil",
    "word_cross_entropy",
    "word_scores",
]


class Operations:
    """All operations by name, each in its textbook form unless a fused form replaces it.

    Parameters
    ----------
    **fused : callable
        Fused forms, by the name of the operation. A fused form takes the same arguments and returns
        the same values up to rounding.
    """

    address = staticmethod(address)
    adjacent_hops = staticmethod(adjacent_hops)
    adjacent_hops_by_row = staticmethod(adjacent_hops_by_row)
    answer_loss = staticmethod(answer_loss)
    answer_set_cross_entropy = staticmethod(answer_set_cross_entropy)
    answer_set_loss = staticmethod(answer_set_loss)
    centred_position_encoding = staticmethod(centred_position_encoding)
    context_hops_by_row = staticmethod(context_hops_by_row)
    cross_entropy = staticmethod(cross_entropy)
    dropout = staticmethod(dropout)
    embedding_lookup = staticmethod(embedding_lookup)
    embedding_sum = staticmethod(embedding_sum)
    fact_answers = staticmethod(fact_answers)
    fill_slots = staticmethod(fill_slots)
    find_facts = staticmethod(find_facts)
    find_memories = staticmethod(find_memories)
    gru = staticmethod(gru)
    gru_reading = staticmethod(gru_reading)
    hop = staticmethod(hop)
    in_order_of_appearance = staticmethod(in_order_of_appearance)
    key_value_hops = staticmethod(key_value_hops)
    key_value_hops_by_row = staticmethod(key_value_hops_by_row)
    l2_penalty = staticmethod(l2_penalty)
    largest_by_question = staticmethod(largest_by_question)
    layerwise_hops = staticmethod(layerwise_hops)
    layerwise_hops_by_row = staticmethod(layerwise_hops_by_row)
    linear = staticmethod(linear)
    matrix_product = staticmethod(matrix_product)
    memory_answers = staticmethod(memory_answers)
    memory_hops = staticmethod(memory_hops)
    noisy_or = staticmethod(noisy_or)
    normal = staticmethod(normal)
    own_length_encoding = staticmethod(own_length_encoding)
    partial_relu = staticmethod(partial_relu)
    position_encoding = staticmethod(position_encoding)
    read_facts = staticmethod(read_facts)
    relation_hops = staticmethod(relation_hops)
    right_candidates = staticmethod(right_candidates)
    scatter_rows = staticmethod(scatter_rows)
    sigmoid = staticmethod(sigmoid)
    slots_with_times = staticmethod(slots_with_times)
    softmax = staticmethod(softmax)
    softmax_by_question = staticmethod(softmax_by_question)
    sum_slots = staticmethod(sum_slots)
    take_rows = staticmethod(take_rows)
    uniform = staticmethod(uniform)
    without_nil = staticmethod(without_nil)
    word_cross_entropy = staticmethod(word_cross_entropy)
    word_scores = staticmethod(word_scores)

    def __init__(self, **fused):
        vars(self).update(fused)
