"""JAX: many training steps in one jitted scan, with the state donated.

The form is that of `torch_best_model`, with two changes that are faster here: readings are gathered
for the slots (XLA's scatter is slow), and the weighted sum of words is a product with two matrices
that hold how often, and at which positions, a sentence contains each word (the position encoding is
linear in the position). A scan needs one shape, so all batches are padded to the largest.
Tried and slower: one jitted step per call, with three or six padded sizes (1.3 times); word lookups
and scattered gradients (1.2 times); scores per sentence with take_along_axis and scatter
(1.5 times); one-hot slots; the "rbg" generator.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy

from kvnet.data.batch import Batch
from kvnet.updates.noisy_adam import BETA_1, BETA_2

from .workload import Workload, padded_sentences

jax.config.update("jax_threefry_partitionable", False)  # hashes twice as much, for many devices


class JaxBest:
    """The peer.

    Parameters
    ----------
    workload : Workload
    threads : int
        Not used: the cores of the process limit the threads; XLA has no setting for them.
    """

    def __init__(self, workload: Workload, threads: int):
        self.workload, self.recipe = workload, workload.recipe
        self.batches = self.stacked(workload.batches)

    def stacked(self, batches: list[Batch]) -> dict[str, jax.Array]:
        """Return batches stacked along a new first axis, padded to one shape."""
        largest = [max(len(batch.sentences) for batch in batches)]
        rows = [
            {
                "query": self.inputs(batch.query),
                "sentences": self.inputs(padded_sentences(batch, largest)),
                "slots": batch.keys,
                "answer": batch.answer,
            }
            for batch in batches
        ]
        return {name: jnp.asarray(numpy.stack([row[name] for row in rows])) for name in rows[0]}

    def inputs(self, words: numpy.ndarray) -> numpy.ndarray:
        """Return a reader's input: word ids, or for bow counts and weighted counts (2, N, V)."""
        if self.recipe.reader == "simple_gru":
            return words
        counts = numpy.zeros((2, len(words), self.workload.vocabulary_size), numpy.float32)
        n, position = words.nonzero()
        numpy.add.at(counts[0], (n, words[n, position]), 1)
        numpy.add.at(counts[1], (n, words[n, position]), position + 1 - words.shape[1] / 2)
        return counts

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        params = {n: jnp.asarray(p) for n, p in self.workload.starting_weights().items()}
        means, squares = (jax.tree.map(jnp.zeros_like, params) for _ in range(2))
        self.state = params, means, squares, jax.random.key(0)
        self.bounds = jnp.float32(clip_norm), jnp.float32(noise_deviation)

    def warm_up(self, steps: range) -> None:
        """See `peers.Peer`."""
        self.train(steps)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        order = jnp.asarray([self.workload.batch_of(step) for step in steps])
        indices = jnp.arange(steps.start, steps.stop)
        self.state, losses = self._scan(self.state, self.batches, order, indices, *self.bounds)
        jax.block_until_ready((self.state, losses))

    @partial(jax.jit, static_argnums=0, donate_argnums=1)
    def _scan(self, state, batches, order, steps, clip_norm, deviation):
        def step(state, row_and_step):
            row, index = row_and_step
            batch = {name: rows[row] for name, rows in batches.items()}
            return self.step(state, batch, index, clip_norm, deviation)

        return jax.lax.scan(step, state, (order, steps))

    def step(self, state, batch, step, clip_norm, deviation):
        """Run the published step; return the new state and the loss."""
        s, (params, means, squares, key) = self.recipe, state
        loss, grads = jax.value_and_grad(self.loss_of)(params, batch)
        key, key_now = jax.random.split(key)
        noise = self.noise(key_now, params, deviation)
        t = step + 1.0
        rate = s.learning_rate * jnp.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        new = {}
        for name, theta in params.items():
            g = grads[name]
            norm = jnp.sqrt((g * g).sum())
            g = g * (clip_norm / jnp.maximum(norm, clip_norm)) + noise[name]
            m = means[name] + (1 - BETA_1) * (g - means[name])
            v = squares[name] + (1 - BETA_2) * (g * g - squares[name])
            new[name] = theta - rate * m / (jnp.sqrt(v) + s.epsilon), m, v
        params, means, squares = ({n: tensors[i] for n, tensors in new.items()} for i in range(3))
        return (params, means, squares, key), loss

    def noise(self, key, params, deviation):
        """Draw the noise of all parameters at once; zero for the nil rows."""
        sizes = [theta.size for theta in params.values()]
        z = deviation * jax.random.normal(key, (sum(sizes),))
        sections = jnp.split(z, numpy.cumsum(sizes)[:-1])
        noise = {n: z.reshape(params[n].shape) for n, z in zip(params, sections, strict=True)}
        return noise | {name: noise[name].at[0].set(0) for name in ("W", "W_mem")}

    def read(self, p, inputs, table, part):
        """Read sentences to ``(N, D)``."""
        if self.recipe.reader == "simple_gru":
            kinds = ("gate_weights", "gate_bias", "candidate_weights", "candidate_bias")
            return gru_over_vocabulary(inputs, p[table], *(p[f"{part}_{kind}"] for kind in kinds))
        E, S = self.recipe.embedding_size, self.workload.sizes.sentence_size
        slope = 4 * (jnp.arange(1, E + 1) - E / 2) / (E * S)
        plain, weighted = (inputs.reshape(-1, inputs.shape[-1]) @ p[table]).reshape(2, -1, E)
        return plain + slope * weighted

    def scores(self, p, batch):
        """Score every word ``(B, V)``."""
        p = p | {name: p[name].at[0].set(0) for name in ("W", "W_mem")}  # drops their gradient
        readings = self.read(p, batch["sentences"], "W_mem", "memory")  # (U', D)
        slots = readings[batch["slots"]]  # (B, M, D)
        u = self.read(p, batch["query"], "W", "query") @ p["A"].T  # (B, F)
        for hop in range(1, self.recipe.hops + 1):
            w = u @ p["A"]  # (B, D)
            attention = jax.nn.softmax(jnp.einsum("bd,bmd->bm", w, slots) + w @ p["TK"].T)
            read = jnp.einsum("bm,bmd->bd", attention, slots) + attention @ p["TV"]
            u = (u + read @ p["A"].T) @ p[f"R_{hop}"].T
        return u @ p["B"] @ p["W_mem"].T

    def loss_of(self, p, batch):
        """Return the summed cross entropy and the penalty."""
        log_p = jax.nn.log_softmax(self.scores(p, batch))
        entropy = -jnp.take_along_axis(log_p, batch["answer"][:, None], axis=1).sum()
        return entropy + 0.5 * self.recipe.l2_lambda * sum((t * t).sum() for t in p.values())

    def loss(self, step: int) -> float:
        """See `peers.Peer`."""
        row = self.workload.batch_of(step)
        batch = {name: rows[row] for name, rows in self.batches.items()}
        return float(self.loss_of(self.state[0], batch))

    def parameters(self) -> dict[str, numpy.ndarray]:
        """See `peers.Peer`."""
        return {name: numpy.array(theta) for name, theta in self.state[0].items()}

    def prepare_test(self, batch_size: int) -> None:
        """See `peers.Peer`."""
        self.test_batches = self.stacked(self.workload.test_batches(batch_size))
        self.predict()

    def predict(self) -> numpy.ndarray:
        """See `peers.Peer`."""
        answers = numpy.asarray(self._predict(self.state[0], self.test_batches)).reshape(-1)
        return answers[: len(self.workload.data.testing.dataset)]

    @partial(jax.jit, static_argnums=0)
    def _predict(self, params, batches):
        return jax.lax.map(lambda batch: self.scores(params, batch).argmax(axis=1), batches)


def gru_over_vocabulary(words, table, gate_weights, gate_bias, candidate_weights, bias):
    """Run the published cell over ``(N, S)`` word ids; ``[x, h] W = x W_x + h W_h``."""
    E, F = table.shape[1], len(bias)
    gate_inputs = table @ gate_weights[:E] + gate_bias  # (V, 2 F), once per vocabulary word
    candidate_inputs = table @ candidate_weights[:E] + bias
    h = jnp.zeros((len(words), F))
    for s in range(words.shape[1]):
        gates = jax.nn.sigmoid(gate_inputs[words[:, s]] + h @ gate_weights[E:])
        r, z = gates[:, :F], gates[:, F:]
        c = jnp.tanh(candidate_inputs[words[:, s]] + (r * h) @ candidate_weights[E:])
        h = z * h + (1 - z) * c
    return h


def jitted(workload: Workload, threads: int) -> JaxBest:
    """Return the peer."""
    return JaxBest(workload, threads)
