"""Both networks on a knowledge base in PyTorch eager: flat arrays, no padding, sparse gradients."""

import torch

from kvnet.models import FactChainNetwork
from kvnet.operations import FactIndex
from kvnet.operations.answer_set_loss import LEAST_PROBABILITY
from kvnet.operations.noisy_or import BELIEF
from kvnet.training.trainer import Trainer
from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

SPACING = 1 << 32


def expand(starts, entities):
    """Return the owner and the position of each fact of some entities."""
    firsts = starts[entities]
    counts = starts[entities + 1] - firsts
    owners = torch.repeat_interleave(counts)
    offsets = torch.cumsum(counts, 0) - counts
    return owners, torch.arange(len(owners)) - offsets[owners] + firsts[owners]


def sums(size, groups, x):
    """Sum x, (n,) or (n, D), by group."""
    return torch.zeros((size, *x.shape[1:]), dtype=x.dtype).index_add(0, groups, x)


class TorchFacts:
    """The training and the answers of a network, from the same weights on the same batches.

    Parameters
    ----------
    trainer : Trainer
        kvnet's, whose weights and batches are copied.
    """

    def __init__(self, trainer: Trainer):
        self.trainer, self.config = trainer, trainer.model.config
        self.step = trainer.step
        state = trainer.optimizer.vectors
        self.params = {
            name: torch.tensor(theta, requires_grad=True)
            for name, theta in trainer.model.params.items()
        }
        means = [self._sections(state[name]) for name in ("m/", "v/")]
        self.means = dict(zip(self.params, zip(*means, strict=True), strict=True))
        self.index = [torch.from_numpy(x).long() for x in trainer.dataset.batch([0]).index]
        self.is_chain = isinstance(trainer.model, FactChainNetwork)

    def _sections(self, vector):
        sizes = [theta.numel() for theta in self.params.values()]
        parts = torch.tensor(vector).split(sizes)
        return [p.view_as(theta) for p, theta in zip(parts, self.params.values(), strict=True)]

    def _read_questions(self, batch):
        words = torch.from_numpy(batch.words).long()[torch.from_numpy(batch.texts).long()]
        readings = torch.nn.functional.embedding(words, self.params["W"], sparse=True)
        readings = (readings * (words != 0)[..., None]).sum(1)
        return readings[torch.from_numpy(batch.rows).long()]

    def answers(self, batch):
        """Return the probabilities, or scores, and the questions and entities that have them."""
        return self._follow(batch) if self.is_chain else self._read_memories(batch)

    def _follow(self, batch):
        p, (starts, relations, objects) = self.params, self.index
        asked, N, c = torch.from_numpy(batch.asked).long(), len(self.index[0]) - 1, self.config
        u, rho, drops = self._read_questions(batch), [], []
        for h in range(1, c.hops + 1):
            rho.append(torch.softmax(u @ p["K"].T, 1))
            drops.append(torch.sigmoid(u @ p["g"][h - 1]))
            u = (u + rho[-1] @ p["K"]) @ p[f"R_{h}"].T
        lam = torch.softmax(u @ p["C"].T, 1)
        rest = lam.detach().flip(1).cumsum(1).flip(1).clamp(min=1e-30)
        bounds = c.least_weight / rest
        questions, entities, e = torch.arange(len(asked)), asked, torch.ones(len(asked))
        all_keys, all_terms = [], []
        for h in range(c.hops):
            alive = torch.nonzero(e.detach() >= bounds[questions, h])[:, 0]
            questions, entities, e = questions[alive], entities[alive], e[alive]
            owners, edges = expand(starts, entities)
            weights = e[owners] * rho[h][questions[owners], relations[edges]]
            read = torch.nonzero(weights.detach() >= bounds[questions[owners], h])[:, 0]
            owners, edges, weights = owners[read], edges[read], weights[read]
            keys, groups = torch.unique(questions[owners] * N + objects[edges], return_inverse=True)
            e = -torch.expm1(sums(len(keys), groups, torch.log1p(-BELIEF * weights)))
            questions, entities = keys // N, keys % N
            e = e * (1 - drops[h][questions] * (entities == asked[questions]))
            all_keys.append(keys)
            all_terms.append(lam[questions, h] * e)
        keys, groups = torch.unique(torch.cat(all_keys), return_inverse=True)
        return sums(len(keys), groups, torch.cat(all_terms)), keys // N, keys % N

    def _read_memories(self, batch):
        p, c = self.params, self.config
        # The memories are found by kvnet's kernel, in no time that counts here.
        memories = self.trainer.model.memories(FactIndex(*batch.index), batch.asked)
        flat = {name: torch.from_numpy(x).long() for name, x in memories._asdict().items()}
        B, embedding = len(batch.asked), torch.nn.functional.embedding
        questions = torch.repeat_interleave(flat["starts"].diff())
        local = embedding(flat["present"], p["E"], sparse=True)
        keys = local[flat["keys"]] + p["K"][flat["relations"]]
        values = local[flat["values"]]
        u = self._read_questions(batch) + local[flat["asked"]]
        for h in range(1, c.hops + 1):
            scores = (keys * u[questions]).sum(1)
            largest = torch.full((B,), -torch.inf).scatter_reduce(
                0, questions, scores.detach(), "amax"
            )
            weights = torch.exp(scores - largest[questions])
            weights = weights / sums(B, questions, weights)[questions]
            u = (u + sums(B, questions, weights[:, None] * values)) @ p[f"R_{h}"].T
        pairs = torch.unique(questions * len(local) + flat["values"])
        of, rows = pairs // len(local), pairs % len(local)
        return (local[rows] * u[of]).sum(1), of, flat["present"][rows]

    def _loss(self, batch):
        a, questions, entities = self.answers(batch)
        answers = torch.from_numpy(batch.answers).long()
        sizes = torch.from_numpy(batch.answer_starts).diff()
        B, right = len(sizes), torch.repeat_interleave(sizes) * SPACING + answers
        is_right = torch.isin(questions * SPACING + entities, right[answers >= 0])
        if self.is_chain:
            shares = (1 / sizes.clamp(min=1)).float()[questions]
            return -(
                torch.log(torch.where(is_right, a + LEAST_PROBABILITY, 1 - BELIEF * a)) * shares
            ).sum()
        largest = torch.full((B,), -torch.inf).scatter_reduce(0, questions, a.detach(), "amax")
        shifted = a - largest[questions]
        log_p = shifted - torch.log(sums(B, questions, torch.exp(shifted)))[questions]
        found = sums(B, questions[is_right], torch.ones(int(is_right.sum())))
        return -(log_p[is_right] / found[questions[is_right]]).sum()

    def train(self, count: int) -> None:
        """Run `count` steps."""
        optimizer, names = self.trainer.optimizer, list(self.params)
        for _ in range(count):
            loss = self._loss(self.trainer.batch(self.step))
            gradients = torch.autograd.grad(loss, list(self.params.values()))
            with torch.no_grad():
                gradients = [g.coalesce() if g.is_sparse else g for g in gradients]
                values = [g.values() if g.is_sparse else g for g in gradients]
                norm = torch.stack([v.square().sum() for v in values]).sum().sqrt()
                scale = float(optimizer.max_norm / norm.clamp(min=optimizer.max_norm))
                rate = corrected_rate(optimizer.learning_rate_at(self.step), self.step)
                for name, gradient, g in zip(names, gradients, values, strict=True):
                    theta, (m, v) = self.params[name], self.means[name]
                    g = g * scale
                    rows = gradient.indices()[0] if gradient.is_sparse else slice(None)
                    m[rows] += (1 - BETA_1) * (g - m[rows])
                    v[rows] += (1 - BETA_2) * (g * g - v[rows])
                    theta[rows] -= rate * m[rows] / (v[rows].sqrt() + optimizer.epsilon)
            self.step += 1

    def predict(self, batch):
        """Return the best answer to each question."""
        with torch.no_grad():
            a, questions, entities = self.answers(batch)
            B = len(batch.asked)
            largest = torch.full((B,), -torch.inf).scatter_reduce(0, questions, a, "amax")
            best = torch.nonzero(a == largest[questions])[:, 0].flip(0)
            found = torch.full((B,), -1)
            found[questions[best]] = entities[best]
            return found.numpy()

    def parameters(self) -> dict:
        """Return the weights by name."""
        return {name: theta.detach().numpy() for name, theta in self.params.items()}
