"""Makes models and assets: what a studio runs offline."""

import runtime  # noqa: F401  (before torch: it says how torch's threads wait)
