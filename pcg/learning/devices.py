"""The device of a training process, and the collectives of several processes (torchrun)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

GLOO_DRAIN_S = 0.5


@dataclass(frozen=True)
class Place:
    """The device and rank of this process, and the number of processes (`world`)."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the logs and files."""
        return self.rank == 0


def open_place(device: str = "auto") -> Place:
    """Resolve "auto", "cpu", "cuda" or "cuda:1", and join the process group of torchrun, if there is one.

    Raises:
        ValueError: the device is unknown, or there is no CUDA device.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {device!r} was asked for, but this torch sees no CUDA device; use --device cpu")
    try:
        torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"unknown device {device!r}; there are: auto, cpu, cuda, cuda:N") from error
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Place(torch.device(device))
    if device == "cuda":
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Place(torch.device(device), dist.get_rank(), world)


def close_place(place: Place) -> None:
    """Leave the process group, if there is one, when every rank has reached this call."""
    if place.world > 1:
        dist.barrier()
        dist.destroy_process_group()
        # Gloo's threads free the tensors of the last collectives a moment after these end, and need the interpreter for
        # it. If it is shutting down, the process aborts (seen in one run of thirty). Gloo has no call to wait for them.
        time.sleep(GLOO_DRAIN_S)


def share_weights(place: Place, *modules: nn.Module) -> None:
    """Give every rank the weights of rank 0."""
    if place.world > 1:
        for module in modules:
            for tensor in module.state_dict().values():
                dist.broadcast(tensor, 0)


def any_rank(place: Place, flag: bool) -> bool:
    """Whether the flag is set on any rank; the same result on all ranks."""
    if place.world == 1:
        return flag
    raised = torch.tensor(int(flag), device=place.device)
    dist.all_reduce(raised, dist.ReduceOp.MAX)
    return bool(raised)


def average_gradients(place: Place, parameters: Iterable[nn.Parameter]) -> None:
    """Replace each gradient by its mean over the ranks.

    This is a plain all-reduce, since the hooks of DistributedDataParallel don't support the double backward of the
    gradient penalties.
    """
    if place.world == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= place.world
    for gradient, piece in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(piece.view_as(gradient))


def ranks_agree(place: Place, *modules: nn.Module) -> bool:
    """Whether every rank holds the same weights, bit for bit."""
    if place.world == 1:
        return True
    bits = [t.detach().float().flatten().view(torch.int32).long() for m in modules for t in m.state_dict().values()]
    mine = torch.stack([torch.cat(bits).sum(), torch.cat(bits).square().sum()])
    all_sums: list[Tensor] = [torch.empty_like(mine) for _ in range(place.world)]
    dist.all_gather(all_sums, mine)
    return all(bool((s == mine).all()) for s in all_sums)
