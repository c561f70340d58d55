"""``make bench``: the project's targets of speed, size and memory on this machine.

Times are CPU seconds of one core, so that a busy machine does not change them much.  The exit code
is 1 where a target is missed.
"""

from __future__ import annotations

import sys

from tests.benchmarks.measuring import ROOT, decision_tick, replays, report_page, start_up
from tests.benchmarks.targets import Measured, as_text, write_json

SUBJECTS = {
    "decision tick (two or three minutes)": decision_tick,
    "report page": report_page,
    "start-up": start_up,
    "back-tests": replays,
}


def main() -> int:
    rows: list[Measured] = []
    for name, measure in SUBJECTS.items():
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        rows += measure()
    print(as_text(rows))
    path = ROOT / "build" / "bench.json"
    write_json(rows, path)
    print(f"\nwritten: {path.relative_to(ROOT)}")
    return int(any(row.verdict == "MISSED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
