"""The depth of depressions, as a differentiable loss.

A pixel's depth is the height of the depression's outlet less its own, so the mean depth has a gradient almost
everywhere: training lowers the outlet (a dam) and raises the floor behind it. The outlets are found by priority-flood
(Barnes, Lehman and Mulla 2014), which needs no gradient.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from runtime.content.terrain.drainage import drain


def depression_depth(heights: Tensor) -> Tensor:
    """Mean depth, over all pixels, of the filled depressions of heightmaps (N, H, W): (N,), in the unit of the heights.

    Differentiable in the heights. Water leaves over the border.
    """
    flat = heights.flatten(1)
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        found = list(pool.map(drain, heights.detach().float().cpu().numpy()))
    outlet = torch.from_numpy(np.stack([d.outlet.ravel() for d in found])).to(heights.device, torch.int64)
    return (flat.gather(1, outlet) - flat).mean(1)
