"""Serves the models: nothing here trains.

Torch's idle threads shall sleep, not spin, while they wait for one another. Spinning saves some microseconds a layer
where nothing else runs; beside other work it made a chunk that takes 0.1 s take 13 s. OpenMP reads this once, when
torch is loaded.
"""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
