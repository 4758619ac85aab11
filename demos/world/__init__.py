"""A window onto the endless map: streams terrain from a runtime and lets one walk over it.

Run with `pcg demo --seed 7`.
"""

import os

# pygame greets on stdout when it is imported, and stdout is for data.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
