"""``python -m autoscaler`` is ``tfa``."""

from __future__ import annotations

from autoscaler.cli.main import run

if __name__ == "__main__":
    run()
