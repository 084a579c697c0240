"""The answers to all questions of a data set in one launch, without packing or synchronisation."""

from kvnet.backend import array_module_of
from kvnet.kernels.cuda.embedding_sum import embedding_sum
from kvnet.kernels.cuda.parts.key_value_hops import HopSizes, launch_questions
from kvnet.kernels.cuda.parts.launch import as_int32
from kvnet.kernels.parts.bow_arguments import BowModel, Questions
from kvnet.parameter_vector import by_name


def serves(bow: BowModel, questions: Questions) -> bool:
    """Return whether one block holds a question and the scores of all words."""
    V, E = bow.shapes["W"]
    return _sizes_of(bow, questions).fits_block(bow.theta.dtype, E, V)


def _sizes_of(bow, questions):
    (B, M), (F, D) = questions.keys.shape, bow.shapes["A"]
    return HopSizes(B=B, M=M, D=D, F=F, H=bow.hops)


def answer(bow: BowModel, questions: Questions):
    """Answer every question with the most probable word.

    Each sentence of the data set is read once; a slot holds its row index in the data set.

    Parameters
    ----------
    bow : BowModel
    questions : Questions
        Their answers are not used.

    Returns
    -------
    words : (N,) int64 array
        Word ids; the lowest of those with the same score.
    """
    xp, p = array_module_of(bow.theta), by_name(bow.theta, bow.shapes)
    sizes, (V, E) = _sizes_of(bow, questions), bow.shapes["W"]
    words = questions.sentences[questions.queries]
    query, _ = embedding_sum(xp, words, p["W"], bow.encoding)
    readings, _ = embedding_sum(xp, questions.sentences, p["W_mem"], bow.encoding)
    keys = as_int32(xp, questions.keys)
    values = keys if questions.values is questions.keys else as_int32(xp, questions.values)
    answers = xp.empty(sizes.B, "int64")
    arguments = {"query": query, "readings": readings, "TK": p["TK"], "TV": p["TV"], "A": p["A"]}
    arguments |= {
        "R": p["R_1"],
        "output_map": p["B"],
        "table": p["W_mem"],
    }  # R_1..R_H are contiguous
    arguments |= {"key_rows": keys, "value_rows": values, "words": answers, "E": E, "V": V}
    # Allowed are the slots whose key is not the empty sentence.
    arguments |= sizes._asdict() | {"allowed": keys, "masked": bow.mask_padding}
    launch_questions(xp, bow.theta.dtype, "answer_words", sizes, E + V, **arguments)
    return answers
