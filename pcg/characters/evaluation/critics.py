"""Critics of sprites: a classifier of attributes, and a two-sample test of generated against real sprites.

The classifier's features are those of FID (Heusel et al. 2017) and KID (Binkowski et al. 2018).
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from pcg.learning.critic import rank_auc, seeded, small_cnn

Pictures = NDArray[np.uint8]

BATCH, TRAINED_STEPS, TWO_SAMPLE_STEPS = 64, 1200, 300
FEATURES = 128
KID_SUBSETS = 50


def to_tensor(pictures: Pictures) -> Tensor:
    """RGBA (N, H, W, 4) to float (N, 4, H, W) in [0, 1]."""
    return torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255


class Critic:
    """A classifier: it gives each of several questions about a picture one of several answers."""

    def __init__(
        self,
        pictures: Pictures,
        answers: NDArray[np.int64],
        choices: Sequence[int],
        *,
        mirrored: bool = False,
        steps: int = TRAINED_STEPS,
    ) -> None:
        """Train the classifier.

        Args:
            pictures: (N, S, S, 4).
            answers: (N, questions), each below its number of choices.
            choices: the number of possible answers of each question.
            mirrored: also train on mirrored pictures.
            steps: of the optimiser.
        """
        self.choices = list(choices)
        side = pictures.shape[1] // 16
        trunk = list(small_cnn(4, 0))[:-3]
        head = [nn.Flatten(), nn.Linear(96 * side * side, FEATURES), nn.LeakyReLU(0.2), nn.Dropout(0.3)]
        self.body = nn.Sequential(*trunk, *seeded(nn.Sequential(*head), 1))
        self.answer = seeded(nn.Sequential(nn.Linear(FEATURES, sum(choices))), 2)
        rng = np.random.default_rng(0)
        parameters = [*self.body.parameters(), *self.answer.parameters()]
        optimiser = torch.optim.AdamW(parameters, 2e-3, weight_decay=1e-2)
        falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        with torch.random.fork_rng():
            torch.manual_seed(0)  # of the dropout
            for _ in range(steps):
                batch = rng.integers(0, len(pictures), BATCH)
                seen = to_tensor(pictures[batch])
                if mirrored and rng.random() < 0.5:
                    seen = seen.flip(3)
                logits = self.answer(self.body(seen)).split(self.choices, 1)
                truth = torch.from_numpy(answers[batch])
                loss = torch.stack([F.cross_entropy(given, truth[:, k]) for k, given in enumerate(logits)]).sum()
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                falling.step()
        self.body.eval()

    def features(self, pictures: Pictures) -> Tensor:
        """The features of pictures, (N, FEATURES)."""
        with torch.no_grad():
            return torch.cat([self.body(to_tensor(part)) for part in _parts(pictures)])

    def answers(self, pictures: Pictures) -> NDArray[np.int64]:
        """The likeliest answers, (N, questions)."""
        with torch.no_grad():
            logits = self.answer(self.features(pictures)).split(self.choices, 1)
            return torch.stack([given.argmax(1) for given in logits], 1).numpy()


def _parts(pictures: Pictures) -> list[Pictures]:
    return [pictures[i : i + 256] for i in range(0, len(pictures), 256)]


class _Given(nn.Module):
    """The identity, in place of torchmetrics' feature network: the features are computed before."""

    num_features = FEATURES

    def forward(self, x: Tensor) -> Tensor:
        return x


def fid(real: Tensor, other: Tensor) -> float:
    """Fréchet distance between two sets of features (N, FEATURES)."""
    from torchmetrics.image.fid import FrechetInceptionDistance

    distance = FrechetInceptionDistance(_Given())
    distance.update(real, real=True)
    distance.update(other, real=False)
    return float(distance.compute())


def kid(real: Tensor, other: Tensor) -> float:
    """Kernel distance of two sets of features, times 1000: the mean over random subsets of half the size."""
    from torchmetrics.image.kid import KernelInceptionDistance

    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore", UserWarning)  # that it stores all features
        torch.manual_seed(0)  # of the subsets
        size = max(2, min(len(real), len(other)) // 2)
        distance = KernelInceptionDistance(_Given(), subsets=KID_SUBSETS, subset_size=size)
        distance.update(real, real=True)
        distance.update(other, real=False)
        return 1000 * float(distance.compute()[0])


def two_sample_auc(real: Pictures, other: Pictures, groups: int, seed: int, steps: int = TWO_SAMPLE_STEPS) -> float:
    """A classifier two-sample test (Lopez-Paz and Oquab 2017): a small CNN is trained to tell two sets apart.

    Args:
        real, other: pictures (N, S, S, 4), in groups of equal size that follow each other.
        groups: the number of groups. Two thirds are for training; group k of both sets is in the same split.
        seed: of the weights, the split and the batches.
        steps: of the optimiser.

    Returns:
        The AUC on the other groups: 0.5 if the CNN can't tell the sets apart, 1 if it always can.
    """
    rng = np.random.default_rng(seed)
    order = rng.permutation(groups)
    trained, tested = order[: groups * 2 // 3], order[groups * 2 // 3 :]
    sets = [to_tensor(p).unflatten(0, (groups, -1)) for p in (real, other)]
    network = small_cnn(4, seed)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
    target = torch.tensor([1.0, 0.0]).repeat_interleave(BATCH // 2)
    for _ in range(steps):
        chosen = rng.choice(trained, BATCH // 2), rng.integers(0, sets[0].shape[1], BATCH // 2)
        logits = network(torch.cat([pictures[chosen] for pictures in sets]))[:, 0]
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(logits, target).backward()
        optimiser.step()
    with torch.no_grad():
        a, b = (network(pictures[tested].flatten(0, 1)).numpy() for pictures in sets)
    return rank_auc(a, b)
