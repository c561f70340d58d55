"""How the levels of QoS weigh against each other on a card that workers share.

The agent shares cards by it, and so do simulations of them; the names of the levels are ``QOS``.
"""

from __future__ import annotations

QOS_WEIGHTS = (1.0, 2.0, 4.0, 8.0)
"""Of low, medium, high and critical: what requests leave of a card is poured by these."""
