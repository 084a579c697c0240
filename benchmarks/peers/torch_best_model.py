"""The model in the form that suits PyTorch best, on one flat vector of parameters.

What it does beside the usual form:

- each different sentence of a batch is read once, and its words only up to the longest;
- A stands on the query's side: ``u · r Aᵀ = (u A) · r``, a product a question instead of a slot;
- scores are taken against the sentences, then gathered for the slots; attention is summed by
  sentence, then multiplied. No array holds a vector for every slot. Empty slots take part: their
  sentence is the empty one, and TK and TV reach all slots in one product;
- the GRU reads a vocabulary that is projected once, not word by word.

Tried and slower, on 2 cores of an AMD EPYC: gathering ``r`` into (B, M, D) and ``bmm`` (a step
takes twice as long); the weighted sum of words as a product with two matrices of word counts a
sentence (equal in eager, slower compiled).
"""

from typing import NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from kvnet import Batch
from kvnet.operations import position_encoding

from .workload import Workload, padded_sentences, real_length


class Sentences(NamedTuple):
    """A batch on the torch side.

    Attributes
    ----------
    query : (B, S') int64 tensor
    sentences : (U', S') int64 tensor
    slots : (B, M) int64 tensor
        Rows of `sentences`.
    answer : (B,) int64 tensor
    """

    query: Tensor
    sentences: Tensor
    slots: Tensor
    answer: Tensor


class BestModel:
    """Shapes and constants; the parameters are handed in.

    Parameters
    ----------
    workload : Workload
    device : str
        PyTorch's name of where to run.

    Attributes
    ----------
    names : list of str
    sizes : list of int
        Of the parameters in the flat vector.
    """

    def __init__(self, workload: Workload, device: str = "cpu"):
        s = workload.settings
        self.hops, self.reader = s.hops, s.reader
        start = workload.starting_weights()
        self.names = list(start)
        self.shapes = [theta.shape for theta in start.values()]
        self.sizes = [theta.size for theta in start.values()]
        flat = numpy.concatenate([theta.ravel() for theta in start.values()])
        self.start, self.device = torch.from_numpy(flat).to(device), device
        length = workload.sizes.sentence_size
        encoding = position_encoding(numpy, length, s.embedding_size, "float32")
        self.encoding = torch.from_numpy(encoding).to(device)

    def split(self, flat: Tensor) -> dict[str, Tensor]:
        """Return views of a flat vector by name."""
        parts = zip(self.names, flat.split(self.sizes), self.shapes, strict=True)
        return {name: part.view(shape) for name, part, shape in parts}

    def tensors(self, batch: Batch, padded_sizes: list[int] | None = None) -> Sentences:
        """Move a batch over; for fixed shapes, `padded_sizes` says up to how many sentences."""
        query, sentences = batch.query, batch.sentences
        if padded_sizes is not None:
            sentences = padded_sentences(batch, padded_sizes)
        elif self.reader == "bow":  # a GRU steps through padding, too
            query = query[:, : real_length(query)]
            sentences = sentences[:, : real_length(sentences)]
        arrays = (query, sentences, batch.keys, batch.answer)
        tensors = (torch.from_numpy(numpy.ascontiguousarray(a)).long() for a in arrays)
        return Sentences(*(tensor.to(self.device) for tensor in tensors))

    def read(self, p: dict[str, Tensor], words: Tensor, table: str, part: str) -> Tensor:
        """Read sentences ``(N, S')`` to ``(N, D)``."""
        if self.reader == "bow":
            x = F.embedding(words, p[table])  # row 0 is zero, and its gradient is dropped later
            return (x * self.encoding[: words.shape[1]]).sum(dim=1)
        kinds = ("gate_weights", "gate_bias", "candidate_weights", "candidate_bias")
        return gru_over_vocabulary(words, p[table], *(p[f"{part}_{kind}"] for kind in kinds))

    def scores(self, p: dict[str, Tensor], batch: Sentences) -> Tensor:
        """Score every word ``(B, V)``."""
        A, slots = p["A"], batch.slots
        readings = self.read(p, batch.sentences, "W_mem", "memory")  # (U', D)
        nothing = readings.new_zeros(len(slots), len(readings))
        u = self.read(p, batch.query, "W", "query") @ A.T  # (B, F)
        for hop in range(1, self.hops + 1):
            w = u @ A  # (B, D)
            by_sentence = (w @ readings.T).gather(1, slots)  # (B, M)
            attention = torch.softmax(torch.addmm(by_sentence, w, p["TK"].T), dim=1)
            by_sentence = nothing.scatter_add(1, slots, attention)  # (B, U')
            read = torch.addmm(by_sentence @ readings, attention, p["TV"])  # (B, D)
            u = torch.addmm(u, read, A.T) @ p[f"R_{hop}"].T
        return u @ p["B"] @ p["W_mem"].T

    def entropy(self, p: dict[str, Tensor], batch: Sentences) -> Tensor:
        """Return the summed cross entropy."""
        return F.cross_entropy(self.scores(p, batch), batch.answer, reduction="sum")


def gru_over_vocabulary(
    words: Tensor, table: Tensor, gate_weights: Tensor, gate_bias, candidate_weights, bias
) -> Tensor:
    """Run the published cell over ``(N, S)`` word ids; ``[x, h] W = x W_x + h W_h``."""
    features = len(bias)
    E = table.shape[1]
    of_words = torch.cat([gate_weights[:E], candidate_weights[:E]], dim=1)
    projected = torch.addmm(torch.cat([gate_bias, bias]), table, of_words)  # (V, 3 F)
    inputs = F.embedding(words.T, projected)  # (S, N, 3 F)
    gate_rows, candidate_rows = gate_weights[E:], candidate_weights[E:]
    h = table.new_zeros(len(words), features)
    for x in inputs.unbind():
        x_gates, x_candidate = x.split([2 * features, features], dim=1)
        r, z = torch.sigmoid(torch.addmm(x_gates, h, gate_rows)).chunk(2, dim=1)
        c = torch.tanh(torch.addmm(x_candidate, r * h, candidate_rows))
        h = torch.lerp(c, h, z)
    return h
