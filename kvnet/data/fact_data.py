"""Questions about a knowledge base as arrays, ready to be cut into batches."""

from typing import NamedTuple

import numpy

from kvnet.backend import to_numpy
from kvnet.data.knowledge_base import KnowledgeBase
from kvnet.data.knowledge_questions import Questions
from kvnet.data.vocabulary import Vocabulary


class FactBatch(NamedTuple):
    """Questions about a knowledge base, and the base.

    Attributes
    ----------
    words : (P,) integer array
        The different words of the questions, as ids; the first is the nil word, 0.
    texts : (U, S) integer array
        The different texts, as positions in `words`; 0 pads.
    rows : (B,) integer array
        The text of each question.
    asked : (B,) integer array
        The entity that each question is about.
    answers : (A,) integer array
        The right answers of all questions, one question after another; -1: not in the base.
    answer_starts : (B + 1,) int64 array
    index : tuple of arrays
        ``starts, edge_relations, edge_entities`` of the base.
    """

    words: numpy.ndarray
    texts: numpy.ndarray
    rows: numpy.ndarray
    asked: numpy.ndarray
    answers: numpy.ndarray
    answer_starts: numpy.ndarray
    index: tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]


class FactDataset:
    """Questions about one base, as arrays of word ids and entities.

    Parameters
    ----------
    base : KnowledgeBase
    questions : Questions
    vocabulary : Vocabulary
        Words that it lacks are left out of the questions.
    xp : module
        Array module of the batches.

    Attributes
    ----------
    base, questions, xp
        The parameters.
    variants : int
        1: every epoch has the same questions.
    """

    variants = 1

    def __init__(self, base: KnowledgeBase, questions: Questions, vocabulary: Vocabulary, xp=numpy):
        self.base, self.questions, self.xp = base, questions, xp
        known = [[word for word in text if word in vocabulary] for text in questions.texts]
        self._texts = numpy.zeros((len(known), max(map(len, known), default=0) or 1), numpy.int32)
        for row, words in zip(self._texts, known, strict=True):
            row[: len(words)] = vocabulary.ids(words, "the questions")
        self._index = tuple(map(xp.asarray, index_of(base)))

    def __len__(self) -> int:
        """Return the number of questions."""
        return len(self.questions)

    @property
    def fingerprint(self) -> str:
        """A text that differs between sets of questions."""
        return self.questions.fingerprint

    def batch(self, rows) -> FactBatch:
        """Return some of the questions as a batch.

        Parameters
        ----------
        rows : (B,) integer array

        Returns
        -------
        batch : FactBatch
        """
        questions, rows = self.questions, to_numpy(rows)
        used, of_question = numpy.unique(questions.text_rows[rows], return_inverse=True)
        answers, answer_starts = questions.answers_of_all(rows)
        texts = self._texts[used]
        present = numpy.concatenate([[0], texts.reshape(-1)])
        words, texts_of_words = numpy.unique(present, return_inverse=True)
        arrays = (
            words.astype(numpy.int32),
            texts_of_words[1:].reshape(texts.shape).astype(numpy.int32),
            of_question.astype(numpy.int32),
            questions.entities[rows],
            answers,
            answer_starts,
        )
        return FactBatch(*map(self.xp.asarray, arrays), self._index)

    def batches(self, rows) -> list[FactBatch]:
        """Return several batches: one per row of an (n, B) array of questions."""
        return [self.batch(of_batch) for of_batch in rows]


class FactData(NamedTuple):
    """A base with the questions for training and evaluating a model.

    Attributes
    ----------
    base : KnowledgeBase
    vocabulary : Vocabulary
        The words of the training questions.
    training : FactDataset
    validation, testing : FactDataset or None
        None if there are no questions.
    """

    base: KnowledgeBase
    vocabulary: Vocabulary
    training: FactDataset
    validation: FactDataset | None = None
    testing: FactDataset | None = None


def encode_facts(base: KnowledgeBase, splits: dict[str, Questions], xp=numpy) -> FactData:
    """Encode questions about a base.

    Parameters
    ----------
    base : KnowledgeBase
    splits : dict of str to Questions
        By name: ``training``, ``validation``, ``testing``. The latter two are optional.
    xp : module
        Array module.

    Returns
    -------
    data : FactData
    """
    vocabulary = Vocabulary(word for text in splits["training"].texts for word in text)
    datasets = {
        name: FactDataset(base, questions, vocabulary, xp) for name, questions in splits.items()
    }
    return FactData(base, vocabulary, **datasets)


def index_of(base: KnowledgeBase) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    """Return the arrays of a base's index: ``starts, edge_relations, edge_entities``."""
    return base.starts, base.edge_relations, base.edge_entities
