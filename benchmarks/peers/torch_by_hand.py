"""The best eager PyTorch without autograd: `BestModel` with a hand-written backward pass, bow only.

This is kvnet's method with PyTorch's operations. It needs no tape, and the products that autograd
adds up hop by hop are one product over all hops.
"""

import torch
from torch import Tensor

from .torch_best import TorchBest
from .torch_best_model import Sentences
from .workload import Workload


class TorchByHand(TorchBest):
    """The peer with a hand-written backward pass.

    Parameters
    ----------
    workload : Workload
    threads : int
    """

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.new_state(clip_norm, noise_deviation)
        self.grads = self.model.split(self.gradient)

    @torch.inference_mode()
    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        for step in steps:
            entropy = self.entropy_and_gradient(self.batch(step))
            self.total_loss += self.with_penalty(entropy)
            self.adam.update(step)

    def entropy_and_gradient(self, batch: Sentences) -> Tensor:
        """Run forward and backward; return the entropy and write the gradient to `gradient`."""
        p, grads = self.params, self.grads
        query, readings = self.read(batch.query, p["W"]), self.read(batch.sentences, p["W_mem"])
        u, saved = self.hop_all(query, readings, batch.slots)
        h = u @ p["B"]
        entropy, d_scores = entropy_and_d_scores(h @ p["W_mem"].T, batch.answer)
        torch.mm(d_scores.T, h, out=grads["W_mem"])
        dh = d_scores @ p["W_mem"]
        torch.mm(u.T, dh, out=grads["B"])
        d_query, d_readings = self.backward_hops(dh @ p["B"].T, query, readings, batch.slots, saved)
        grads["W"].zero_()
        self.backward_read(batch.query, d_query, grads["W"])
        self.backward_read(batch.sentences, d_readings, grads["W_mem"])
        return entropy

    def read(self, words: Tensor, table: Tensor) -> Tensor:
        """Read sentences ``(N, S')`` to ``(N, E)``."""
        return (table[words] * self.model.encoding[: words.shape[1]]).sum(dim=1)

    def backward_read(self, words: Tensor, d_readings: Tensor, d_table: Tensor) -> None:
        """Add the contribution of the readings' gradient to the gradient of the table."""
        d_words = d_readings[:, None] * self.model.encoding[: words.shape[1]]  # (N, S', E)
        d_table.index_add_(0, words.reshape(-1), d_words.flatten(0, 1))

    def hop_all(self, query: Tensor, readings: Tensor, slots: Tensor):
        """Run the hops; return the last query and what the backward pass needs."""
        p, saved = self.params, []
        u = query @ p["A"].T
        for hop in range(1, self.model.hops + 1):
            w = u @ p["A"]  # (B, D)
            scores = torch.addmm((w @ readings.T).gather(1, slots), w, p["TK"].T)
            attention = torch.softmax(scores, dim=1)  # (B, M)
            by_sentence = w.new_zeros(len(w), len(readings)).scatter_add_(1, slots, attention)
            read = torch.addmm(by_sentence @ readings, attention, p["TV"])  # (B, D)
            s = torch.addmm(u, read, p["A"].T)
            saved.append((u, w, attention, by_sentence, read, s))
            u = s @ p[f"R_{hop}"].T
        return u, saved

    def backward_hops(self, du: Tensor, query: Tensor, readings: Tensor, slots: Tensor, saved):
        """Return the gradients of the query and the readings; write those of the weights."""
        p, grads, A = self.params, self.grads, self.params["A"]
        key_pairs, value_pairs, reading_pairs, A_pairs = [], [], [], []
        for hop, (u, w, attention, by_sentence, read, s) in reversed([*enumerate(saved, start=1)]):
            torch.mm(du.T, s, out=grads[f"R_{hop}"])
            ds = du @ p[f"R_{hop}"]
            d_read = ds @ A
            dp = torch.addmm((d_read @ readings.T).gather(1, slots), d_read, p["TV"].T)
            d_scores = attention * (dp - (attention * dp).sum(dim=1, keepdim=True))
            d_by_sentence = torch.zeros_like(by_sentence).scatter_add_(1, slots, d_scores)
            dw = torch.addmm(d_by_sentence @ readings, d_scores, p["TK"])
            key_pairs.append((d_scores, w))
            value_pairs.append((attention, d_read))
            reading_pairs += [(d_by_sentence, w), (by_sentence, d_read)]
            A_pairs += [(ds, read), (u, dw)]
            du = torch.addmm(ds, dw, A.T)
        A_pairs.append((du, query))
        for name, pairs in (("TK", key_pairs), ("TV", value_pairs), ("A", A_pairs)):
            grads[name].copy_(sum_of_products(pairs))
        return du @ A, sum_of_products(reading_pairs)


def sum_of_products(pairs: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Return ``sum xᵀ y`` as one product."""
    left, right = zip(*pairs, strict=True)
    return torch.cat(left).T @ torch.cat(right)


def entropy_and_d_scores(scores: Tensor, answer: Tensor) -> tuple[Tensor, Tensor]:
    """Return the summed cross entropy and its gradient with respect to the scores."""
    log_p = torch.log_softmax(scores, dim=1)
    rows = answer[:, None]
    entropy = -log_p.gather(1, rows).sum()
    d_scores = log_p.exp_()
    d_scores.scatter_add_(1, rows, log_p.new_full(rows.shape, -1.0))
    return entropy, d_scores


def eager(workload: Workload, threads: int) -> TorchByHand:
    """Return the peer."""
    return TorchByHand(workload, threads)
