"""The best eager PyTorch: `BestModel` with autograd and the whole update on flat vectors.

Every parameter is a view of one vector, and its gradient a view of another, so that weight decay,
noise and Adam are one call each. Tried and slower: a scale gathered for each component instead of
``_foreach_mul_`` (50 µs per step instead of 12). Faster, but without autograd: `torch_by_hand`.
"""

import numpy
import torch
from torch import Tensor

from kvnet.updates.noisy_adam import BETA_1, BETA_2, corrected_rate

from .torch_best_model import BestModel, Sentences
from .workload import Workload

LATE = 1e9  # step at which Adam's bias corrections are one; the published rate includes them


class FlatNoisyAdam:
    """The published update of all parameters at once.

    Parameters
    ----------
    theta : (N,) Tensor
        All parameters, concatenated; updated in place.
    gradient : (N,) Tensor
        Overwritten by an update.
    model : BestModel
    recipe : KeyValueRecipe
    clip_norm : float
        Bound of the norm of a parameter's gradient.
    deviation : float
        Standard deviation of the noise added to the gradient.
    """

    def __init__(
        self,
        theta: Tensor,
        gradient: Tensor,
        model: BestModel,
        recipe,
        clip_norm: float,
        deviation: float,
    ):
        self.theta, self.gradient, self.recipe = theta, gradient, recipe
        self.clip_norm, self.deviation = clip_norm, deviation
        self.m, self.v, self.noise = (torch.zeros_like(theta) for _ in range(3))
        self.sections = list(gradient.split(model.sizes))
        views = model.split(gradient)
        self.nil_rows = [views["W"][0], views["W_mem"][0]]
        self.late = theta.new_tensor(LATE)

    def update(self, step: int) -> None:
        """Run the update from the gradient of the entropy; nil rows stay zero."""
        g = self.gradient
        self.clear_nil_rows()
        g.add_(self.theta, alpha=self.recipe.l2_lambda)
        norms = torch.stack(torch._foreach_norm(self.sections))
        scales = self.clip_norm / norms.clamp_(min=self.clip_norm)
        torch._foreach_mul_(self.sections, scales.unbind())
        g.add_(self.noise.normal_(), alpha=self.deviation)
        self.clear_nil_rows()
        self.adam(corrected_rate(self.recipe.learning_rate, step))

    def adam(self, rate: float | Tensor) -> None:
        """Run Adam's update with a bias-corrected rate, in one kernel."""
        torch._fused_adam_(
            [self.theta],
            [self.gradient],
            [self.m],
            [self.v],
            [],
            [self.late],
            lr=rate,
            beta1=BETA_1,
            beta2=BETA_2,
            weight_decay=0.0,
            eps=self.recipe.epsilon,
            amsgrad=False,
            maximize=False,
        )

    def clear_nil_rows(self) -> None:
        """Set the gradient of the nil word's rows to zero."""
        for row in self.nil_rows:
            row.zero_()


class TorchBest:
    """The peer that trains `BestModel` with autograd.

    Parameters
    ----------
    workload : Workload
    threads : int
    device : str
        PyTorch device.
    """

    model_class, update_class = BestModel, FlatNoisyAdam

    def __init__(self, workload: Workload, threads: int, device: str = "cpu"):
        torch.set_num_threads(threads)
        self.workload, self.model = workload, self.model_class(workload, device)
        self.batches = [self.model.tensors(batch) for batch in workload.batches]

    def start(self, clip_norm: float, noise_deviation: float) -> None:
        """See `peers.Peer`."""
        self.new_state(clip_norm, noise_deviation)
        for name, section in self.model.split(self.gradient).items():
            self.params[name].requires_grad_()
            self.params[name].grad = section

    def new_state(self, clip_norm: float, noise_deviation: float) -> None:
        """Make the vectors that training updates."""
        self.theta = self.model.start.clone()
        self.total_loss = self.theta.new_zeros(())
        self.gradient = torch.zeros_like(self.theta)
        self.params = self.model.split(self.theta)
        vectors, bounds = (self.theta, self.gradient), (clip_norm, noise_deviation)
        self.adam = self.update_class(*vectors, self.model, self.workload.recipe, *bounds)

    def warm_up(self, steps: range) -> None:
        """See `peers.Peer`."""
        self.train(steps)

    def train(self, steps: range) -> None:
        """See `peers.Peer`."""
        for step in steps:
            self.gradient.zero_()
            entropy = self.model.entropy(self.params, self.batch(step))
            entropy.backward()
            with torch.no_grad():
                self.total_loss += self.with_penalty(entropy)
                self.adam.update(step)

    def batch(self, step: int) -> Sentences:
        """Return the batch of a step."""
        return self.batches[self.workload.batch_of(step)]

    def with_penalty(self, entropy: Tensor) -> Tensor:
        """Return the entropy plus the penalty."""
        half = 0.5 * self.workload.recipe.l2_lambda
        return entropy + half * torch.dot(self.theta, self.theta)

    def loss(self, step: int) -> float:
        """See `peers.Peer`."""
        with torch.no_grad():
            return self.with_penalty(self.model.entropy(self.params, self.batch(step))).item()

    def parameters(self) -> dict[str, numpy.ndarray]:
        """See `peers.Peer`."""
        return {name: p.cpu().numpy().copy() for name, p in self.model.split(self.theta).items()}

    def prepare_test(self, batch_size: int) -> None:
        """See `peers.Peer`."""
        batches = self.workload.test_batches(batch_size)
        self.test_batches = [self.model.tensors(batch) for batch in batches]
        self.predict()

    def predict(self) -> numpy.ndarray:
        """See `peers.Peer`."""
        with torch.inference_mode():
            answers = [self.model.scores(self.params, b).argmax(dim=1) for b in self.test_batches]
        return torch.cat(answers).cpu().numpy()[: len(self.workload.data.testing.dataset)]


def eager(workload: Workload, threads: int) -> TorchBest:
    """Return the peer."""
    return TorchBest(workload, threads)
