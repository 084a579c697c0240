"""The schedule of a training: the questions, or the words of a text, of each step."""

import numpy

from kvnet.counter_random import permutation, random_words
from kvnet.errors import InputError, setting


class Batches:
    """The published batches: consecutive questions, cut once, in a new order every epoch.

    The last batch is dropped even when full, as in the reference code. With ``shuffle_questions``
    every epoch cuts a new permutation of all questions instead, and drops an incomplete last batch.

    Parameters
    ----------
    questions : int
        N.
    batch_size : int
        B.
    shuffle_questions : bool
    random_state : int

    Attributes
    ----------
    steps_per_epoch : int
    recurring : bool
        Whether every epoch has the same batches, in another order: unless questions are shuffled.

    Raises
    ------
    InputError
        If the questions do not fill a batch.
    """

    def __init__(self, questions: int, batch_size: int, shuffle_questions: bool, random_state: int):
        self.questions, self.batch_size = questions, batch_size
        self.shuffle_questions, self.random_state = shuffle_questions, random_state
        self.recurring = not shuffle_questions
        usable = questions if shuffle_questions else questions - 1
        self.steps_per_epoch = usable // batch_size
        if not self.steps_per_epoch:
            raise InputError(
                f"{setting('batch_size', batch_size)} cannot be filled from {questions} training "
                f"question{'s' * (questions > 1)}; {self._remedy(questions, usable)}"
            )
        self._epoch = None

    def _remedy(self, questions, usable):
        """Say what fills a batch."""
        less = " or less" if usable > 1 else ""
        remedy = f"use {setting('batch_size', usable)}{less}" if usable else "give more questions"
        if not self.shuffle_questions:
            remedy += (
                f", or {setting('shuffle_questions', True)}, which does not drop the last batch "
                f"when full, with {setting('batch_size', questions)}"
                f"{' or less' if questions > 1 else ''}"
            )
        return remedy

    @property
    def note(self) -> str | None:
        """What the schedule leaves out, in one line, or None."""
        unused = self.questions - self.steps_per_epoch * self.batch_size if self.recurring else 0
        if not unused:
            return None
        return (
            f"the last {unused} of {self.questions:,} training questions fill no batch and are not "
            f"trained on, as published; {setting('shuffle_questions', True)} trains on all"
        )

    def next_rows(self, step: int, count: int) -> numpy.ndarray:
        """Return the questions of consecutive steps.

        Parameters
        ----------
        step : int
            The first one, counted over all epochs, from 0.
        count : int

        Returns
        -------
        rows : (count, B) int64 array
        """
        rows = numpy.empty((count, self.batch_size), "int64")
        done = 0
        while done < count:
            part = self._rows_in_epoch(step + done, count - done)
            rows[done : done + len(part)] = part
            done += len(part)
        return rows

    def _rows_in_epoch(self, step, most):
        epoch, place = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._draw(epoch)
        first = self._order[place : place + most, None] * self.batch_size
        rows = first + numpy.arange(self.batch_size)
        return self._questions[rows] if self.shuffle_questions else rows

    def _draw(self, epoch):
        if self.shuffle_questions:
            self._questions = permutation(
                numpy, self.random_state, "question order", epoch, self.questions
            )
        return permutation(numpy, self.random_state, "batch order", epoch, self.steps_per_epoch)


class VariedBatches:
    """The batches of another schedule, in each epoch from another variant of the questions.

    Parameters
    ----------
    batches : Batches
    questions : int
        N, of a variant; question n of variant v has row ``v N + n``.
    variants : int
        Epoch e has the variant ``e mod variants``.

    Attributes
    ----------
    batch_size, steps_per_epoch : int
    recurring : bool
        False.
    note : str or None
        What the other schedule leaves out.
    """

    recurring = False

    def __init__(self, batches: Batches, questions: int, variants: int):
        self.batches, self.questions, self.variants = batches, questions, variants
        self.batch_size, self.steps_per_epoch = batches.batch_size, batches.steps_per_epoch
        self.note = batches.note

    def next_rows(self, step: int, count: int) -> numpy.ndarray:
        """Return the questions of consecutive steps.

        Parameters
        ----------
        step : int
            The first one, counted over all epochs, from 0.
        count : int

        Returns
        -------
        rows : (count, B) int64 array
        """
        epochs = numpy.arange(step, step + count) // self.steps_per_epoch
        first = epochs % self.variants * self.questions
        return self.batches.next_rows(step, count) + first[:, None]


class RandomBatches:
    """Random words of a text, or random questions; an epoch has about as many as the data.

    Parameters
    ----------
    words : int
        N, words of the text, or questions.
    batch_size : int
        B.
    random_state : int
    first : int
        The first position that can be a target, less than N.

    Attributes
    ----------
    steps_per_epoch : int
    recurring : bool
        False: every epoch has other batches.
    note : None
        Nothing is left out.
    """

    recurring = False
    note = None

    def __init__(self, words: int, batch_size: int, random_state: int, first: int):
        self.words, self.batch_size = words, batch_size
        self.random_state, self.first = random_state, first
        self.steps_per_epoch = -(-words // batch_size)

    def next_rows(self, step: int, count: int) -> numpy.ndarray:
        """Return the words, or questions, of consecutive steps.

        Parameters
        ----------
        step : int
            The first one, counted over all epochs, from 0.
        count : int

        Returns
        -------
        rows : (count, B) int64 array
        """
        steps = numpy.arange(step, step + count, dtype="uint64")[:, None]
        words = random_words(numpy, self.random_state, "targets", steps, self.batch_size)
        return self.first + (words * (self.words - self.first) >> 32).astype("int64")
