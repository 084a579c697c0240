"""The model in the form that is fastest in PyTorch, on one flat vector of parameters.

Differences from the usual form:

- each different sentence of a batch is read once, and words only up to the longest sentence;
- A is applied to the query, ``u · r Aᵀ = (u A) · r``: one product per question instead of per slot;
- scores are computed per sentence, then gathered for the slots; attention is summed per sentence,
  then multiplied. No array holds a vector for every slot. Empty slots are included: they hold the
  empty sentence, and one product adds TK or TV for all slots;
- the GRU projects the vocabulary once, not every word that is read.

Tried and slower, on 2 cores of an AMD EPYC: gathering ``r`` into (B, M, D) and ``bmm`` (a step
takes twice as long); the weighted sum of words as a product with two matrices of word counts per
sentence (equal in eager, slower compiled).
"""

from typing import NamedTuple

import numpy
import torch
import torch.nn.functional as F
from torch import Tensor

from kvnet.data.batch import Batch
from kvnet.operations import position_encoding

from .workload import Workload, padded_sentences, real_length


class Sentences(NamedTuple):
    """A batch as tensors.

    Attributes
    ----------
    query : (B, S') int64 tensor
    sentences : (U', S') int64 tensor
    slots : (B, M) int64 tensor
        Row indices of `sentences`.
    answer : (B,) int64 tensor
    """

    query: Tensor
    sentences: Tensor
    slots: Tensor
    answer: Tensor


class BestModel:
    """The model's shapes and constants; its methods take the parameters as an argument.

    Parameters
    ----------
    workload : Workload
    device : str
        PyTorch device.

    Attributes
    ----------
    names, shapes, sizes : list
        Names, shapes and sizes of the parameters, in the order of the flat vector.
    start : (N,) Tensor
        Starting weights as one flat vector.
    """

    def __init__(self, workload: Workload, device: str = "cpu"):
        s = workload.recipe
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
        """Return the parameters in a flat vector as views, by name."""
        sections = zip(self.names, flat.split(self.sizes), self.shapes, strict=True)
        return {name: section.view(shape) for name, section, shape in sections}

    def tensors(self, batch: Batch, padded_sizes: list[int] | None = None) -> Sentences:
        """Return a batch as tensors, with one of `padded_sizes` sentences if given."""
        query, sentences = batch.query, batch.sentences
        if padded_sizes is not None:
            sentences = padded_sentences(batch, padded_sizes)
        elif self.reader == "bow":  # the GRU also runs over padding
            query = query[:, : real_length(query)]
            sentences = sentences[:, : real_length(sentences)]
        arrays = (query, sentences, batch.keys, batch.answer)
        tensors = (torch.from_numpy(numpy.ascontiguousarray(a)).long() for a in arrays)
        return Sentences(*(tensor.to(self.device) for tensor in tensors))

    def read(self, p: dict[str, Tensor], words: Tensor, table: str, part: str) -> Tensor:
        """Read sentences ``(N, S')`` to ``(N, D)``."""
        if self.reader == "bow":
            x = F.embedding(words, p[table])  # row 0 is zero; its gradient is zeroed in the update
            return (x * self.encoding[: words.shape[1]]).sum(dim=1)
        kinds = ("gate_weights", "gate_bias", "candidate_weights", "candidate_bias")
        return gru_over_vocabulary(words, p[table], *(p[f"{part}_{kind}"] for kind in kinds))

    def scores(self, p: dict[str, Tensor], batch: Sentences) -> Tensor:
        """Score every word ``(B, V)``."""
        A, slots = p["A"], batch.slots
        readings = self.read(p, batch.sentences, "W_mem", "memory")  # (U', D)
        zeros = readings.new_zeros(len(slots), len(readings))
        u = self.read(p, batch.query, "W", "query") @ A.T  # (B, F)
        for hop in range(1, self.hops + 1):
            w = u @ A  # (B, D)
            by_sentence = (w @ readings.T).gather(1, slots)  # (B, M)
            attention = torch.softmax(torch.addmm(by_sentence, w, p["TK"].T), dim=1)
            by_sentence = zeros.scatter_add(1, slots, attention)  # (B, U')
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
    input_weights = torch.cat([gate_weights[:E], candidate_weights[:E]], dim=1)
    projected = torch.addmm(torch.cat([gate_bias, bias]), table, input_weights)  # (V, 3 F)
    inputs = F.embedding(words.T, projected)  # (S, N, 3 F)
    gate_rows, candidate_rows = gate_weights[E:], candidate_weights[E:]
    h = table.new_zeros(len(words), features)
    for x in inputs.unbind():
        x_gates, x_candidate = x.split([2 * features, features], dim=1)
        r, z = torch.sigmoid(torch.addmm(x_gates, h, gate_rows)).chunk(2, dim=1)
        c = torch.tanh(torch.addmm(x_candidate, r * h, candidate_rows))
        h = torch.lerp(c, h, z)
    return h
