"""The batches of training steps, packed as late and as seldom as possible."""

import numpy

from kvnet.renumber import BATCHES_TOGETHER


class Packing:
    """Pack the batch of each step when it is needed.

    Batches that recur every epoch are packed once and kept. Otherwise a device packs fixed groups
    of steps together, since each packing synchronises it with the host.

    Parameters
    ----------
    dataset : Dataset or Text
        Packs the examples, or words, of a batch.
    schedule : Batches or RandomBatches
        Says which ones each step has.
    """

    def __init__(self, dataset, schedule):
        self.dataset, self.schedule = dataset, schedule
        self._packed = {}

    def batch(self, step: int):
        """Return the Batch or Context of a step, counted over all epochs from 0."""
        xp = self.dataset.xp
        if self.schedule.recurring:
            (rows,) = self.schedule.next_rows(step, 1)
            first = int(rows[0])
            if first not in self._packed:
                self._packed[first] = self.dataset.batch(xp.asarray(rows))
            return self._packed[first]
        if xp is numpy:
            return self.dataset.batch(self.schedule.next_rows(step, 1)[0])
        first = step - step % BATCHES_TOGETHER
        if first not in self._packed:
            rows = self.schedule.next_rows(first, BATCHES_TOGETHER)
            self._packed = {first: self.dataset.batches(xp.asarray(rows))}
        return self._packed[first][step - first]
