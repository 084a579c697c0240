"""The model in the form that is fastest in PyTorch on a GPU, where launches cost most.

There is a vector for every slot, and keys and values with their temporal encodings are computed
once. A hop is six launches; in `torch_best_model`, which does less arithmetic by computing scores
per sentence, it is eleven. Lookups use ``index_select``: its backward pass adds rows in parallel,
that of an embedding with a small vocabulary adds them one after another.
"""

import torch
from torch import Tensor

from .torch_best_model import BestModel, Sentences
from .torch_by_hand import entropy_and_d_scores, sum_of_products


class SlotsModel(BestModel):
    """A forward pass for autograd, and forward and backward by hand; the bow reader only."""

    def read(self, p: dict[str, Tensor], words: Tensor, table: str, part: str = "") -> Tensor:
        """Read sentences ``(N, S')`` to ``(N, D)``."""
        x = p[table].index_select(0, words.reshape(-1)).view(*words.shape, -1)
        return (x * self.encoding[: words.shape[1]]).sum(dim=1)

    def keys_and_values(self, p: dict[str, Tensor], batch: Sentences) -> tuple[Tensor, Tensor]:
        """Return the keys and the values of the memory, both ``(B, M, D)``."""
        readings = self.read(p, batch.sentences, "W_mem")
        memory = readings.index_select(0, batch.slots.reshape(-1)).view(*batch.slots.shape, -1)
        return memory + p["TK"], memory + p["TV"]

    def dots(self, slots: Tensor, x: Tensor) -> Tensor:
        """Return the dot products ``(B, M)`` of slots ``(B, M, D)`` and ``(B, D)``."""
        return torch.bmm(slots, x.unsqueeze(2)).squeeze(2)

    def weighted(self, slots: Tensor, weights: Tensor) -> Tensor:
        """Return the sum ``(B, D)`` of slots ``(B, M, D)`` with weights ``(B, M)``."""
        return torch.bmm(weights.unsqueeze(1), slots).squeeze(1)

    def scores(self, p: dict[str, Tensor], batch: Sentences) -> Tensor:
        """Score every word ``(B, V)``."""
        keys, values = self.keys_and_values(p, batch)
        u, _ = self.hop_all(p, self.read(p, batch.query, "W"), keys, values)
        return u @ p["B"] @ p["W_mem"].T

    def hop_all(self, p: dict[str, Tensor], query: Tensor, keys: Tensor, values: Tensor):
        """Run the hops; return the last query and what the backward pass needs."""
        A, saved = p["A"], []
        u = query @ A.T  # (B, F)
        for hop in range(1, self.hops + 1):
            w = u @ A  # (B, D)
            attention = torch.softmax(self.dots(keys, w), dim=1)  # (B, M)
            read = self.weighted(values, attention)  # (B, D)
            s = torch.addmm(u, read, A.T)
            saved.append((u, w, attention, read, s))
            u = s @ p[f"R_{hop}"].T
        return u, saved

    def entropy_and_gradient(self, p: dict[str, Tensor], batch: Sentences) -> tuple[Tensor, list]:
        """Return the entropy and the gradients of all parameters, in the order of `names`."""
        keys, values = self.keys_and_values(p, batch)
        query = self.read(p, batch.query, "W")
        u, saved = self.hop_all(p, query, keys, values)
        h = u @ p["B"]
        entropy, d_scores = entropy_and_d_scores(h @ p["W_mem"].T, batch.answer)
        dh = d_scores @ p["W_mem"]
        grads = {"B": u.T @ dh, "W_mem": d_scores.T @ h, "W": torch.zeros_like(p["W"])}
        du, pairs = self.backward_hops(p, dh @ p["B"].T, keys, values, saved, grads)
        key_pairs, value_pairs, A_pairs = pairs
        grads["A"] = sum_of_products([*A_pairs, (du, query)])
        d_memory = self.d_memory(key_pairs, value_pairs, grads).flatten(0, 1)  # (B M, D)
        d_readings = d_memory.new_zeros(len(batch.sentences), d_memory.shape[1])
        d_readings.index_add_(0, batch.slots.reshape(-1), d_memory)
        self.backward_read(batch.query, du @ p["A"], grads["W"])
        self.backward_read(batch.sentences, d_readings, grads["W_mem"])
        return entropy, [grads[name] for name in self.names]

    def backward_hops(self, p: dict[str, Tensor], du: Tensor, keys, values, saved, grads: dict):
        """Run the hops backward; return pairs of factors for the other gradients."""
        A, key_pairs, value_pairs, A_pairs = p["A"], [], [], []
        for hop, (u, w, attention, read, s) in reversed([*enumerate(saved, start=1)]):
            grads[f"R_{hop}"] = du.T @ s
            ds = du @ p[f"R_{hop}"]
            d_read = ds @ A
            dp = self.dots(values, d_read)
            d_scores = torch._softmax_backward_data(dp, attention, 1, dp.dtype)
            dw = self.weighted(keys, d_scores)
            key_pairs.append((d_scores, w))
            value_pairs.append((attention, d_read))
            A_pairs += [(ds, read), (u, dw)]
            du = torch.addmm(ds, dw, A.T)
        return du, (key_pairs, value_pairs, A_pairs)

    def d_memory(self, key_pairs: list, value_pairs: list, grads: dict) -> Tensor:
        """Return the gradient of the slots ``(B, M, D)``; write those of their encodings."""
        left, right = (torch.cat(part) for part in zip(*key_pairs, *value_pairs, strict=True))
        rows, count = len(left) // 2, len(key_pairs) + len(value_pairs)  # (2 H B, M or D)
        for name, part in (("TK", slice(rows)), ("TV", slice(rows, None))):
            grads[name] = left[part].T @ right[part]
        left, right = (x.view(count, -1, x.shape[1]) for x in (left, right))  # (2 H, B, M or D)
        return torch.bmm(left.permute(1, 2, 0), right.transpose(0, 1))

    def backward_read(self, words: Tensor, d_readings: Tensor, d_table: Tensor) -> None:
        """Add the contribution of the readings' gradient to the gradient of the table."""
        d_words = d_readings[:, None] * self.encoding[: words.shape[1]]  # (N, S', E)
        d_table.index_add_(0, words.reshape(-1), d_words.flatten(0, 1))


class FusedSlotsModel(SlotsModel):
    """`SlotsModel` for Inductor, which fuses a product with its sum and with the lookups."""

    def dots(self, slots: Tensor, x: Tensor) -> Tensor:
        """See `SlotsModel`."""
        return (slots * x.unsqueeze(1)).sum(dim=2)

    def weighted(self, slots: Tensor, weights: Tensor) -> Tensor:
        """See `SlotsModel`."""
        return (slots * weights.unsqueeze(2)).sum(dim=1)
