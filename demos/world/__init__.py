"""A pygame client that streams terrain from a runtime, as an endless map to walk over.

Run with `pcg demo --seed 7`.
"""

import os

# pygame prints a greeting to stdout when it is imported, and stdout is for data.
os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
