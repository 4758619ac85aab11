"""Makes models and assets: everything a studio runs offline."""

import runtime  # noqa: F401  (how threads wait is set there, before torch is loaded)
