"""``make bench``: the project's targets of speed, size and memory on this machine.

Times are CPU seconds of one core, so that a busy machine does not change them much; where a server
is waited for, they are those of the clock.  The exit code is 1 where a target is missed, or where
something could not be measured.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from tests.benchmarks.cluster import ClusterSizes, on_a_cluster
from tests.benchmarks.controller import ControllerSizes, on_controllers
from tests.benchmarks.enforcement.agent import AgentSizes, node_agent
from tests.benchmarks.enforcement.launches import LaunchSizes, launch_overhead
from tests.benchmarks.enforcement.patches import PatchSizes, patches_in_force
from tests.benchmarks.enforcement.shares import ShareSizes, real_shares
from tests.benchmarks.forecast_costs import forecast_costs
from tests.benchmarks.forecast_goals import forecast_goals
from tests.benchmarks.limiter_laws import limiter_shares
from tests.benchmarks.live import LiveSizes, on_a_live_cluster
from tests.benchmarks.live_cells import WORKLOADS_OF_A_CELL
from tests.benchmarks.measuring import decision_tick, replays, report_page, start_up
from tests.benchmarks.own_process import ROOT
from tests.benchmarks.prometheus import FULL, SHORT, usage_from_prometheus
from tests.benchmarks.targets import Measured, as_text, write_json
from tests.components.programs import ProgramMissingError

LEAST_WORKLOADS = 500
"""Some of them are saturated at once, and the others are to be many."""
CACHE = ROOT / "build" / "bench"
"""What servers are filled with is kept here."""


def subjects(
    live: LiveSizes, *, is_full: bool
) -> dict[str, tuple[str, Callable[[], Iterable[Measured]]]]:
    """Return what can be measured: name to a remark and the measurement."""
    sizes = FULL if is_full else SHORT
    return {
        "tick": ("decisions, five minutes", decision_tick),
        "page": ("the HTML page of a report", report_page),
        "start-up": ("of tfa", start_up),
        "backtest": ("back-tests", replays),
        "experts": ("what forecasts cost, half a minute", forecast_costs),
        "forecast": (
            "forecasts on recorded demand, where there is some, ten minutes",
            forecast_goals,
        ),
        "limiter": ("shares of a card in virtual time, half a minute", limiter_shares),
        "launches": (
            "what the limiter adds to a launch, half a minute",
            partial(launch_overhead, LaunchSizes()),
        ),
        "shares": (
            "shares of real processes on a fake card, four minutes",
            partial(real_shares, ShareSizes()),
        ),
        "agent": (
            "start, CPU and memory of the agent, two minutes",
            partial(node_agent, AgentSizes()),
        ),
        "patches": (
            "from an annotation to its node on a real API server, a minute",
            partial(patches_in_force, PatchSizes()),
        ),
        "prometheus": (
            "usage from a real Prometheus, two or three minutes",
            partial(usage_from_prometheus, sizes, CACHE),
        ),
        "cluster": (
            "admission, caches and writes on a real control plane, three or four minutes",
            partial(on_a_cluster, ClusterSizes()),
        ),
        "controller": (
            "placement, start, raises of the controller, some minutes",
            partial(on_controllers, ControllerSizes()),
        ),
        "live": (
            "the whole loop on a large cluster, about a quarter of an hour and 12 GB of memory",
            partial(on_a_live_cluster, live),
        ),
    }


def main(words: Sequence[str]) -> int:
    known = subjects(LiveSizes(), is_full=False)
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "subject",
        nargs="*",
        help=f"{', '.join(known)}; without one, all of them",
        metavar="SUBJECT",
    )
    parser.add_argument(
        "--full",
        action="store_true",
        help="prometheus: 14 days in place of 4, with 15 GB of text written once in between",
    )
    parser.add_argument(
        "--workloads",
        type=int,
        default=LiveSizes().workloads,
        help="live: so many workloads of 4 workers; default: %(default)s; at least 500",
    )
    given = parser.parse_args(words)
    if given.workloads < LEAST_WORKLOADS:
        parser.error(
            f"--workloads: {given.workloads} is too few; allowed: {LEAST_WORKLOADS} and more"
        )
    live = LiveSizes(cells=given.workloads // WORKLOADS_OF_A_CELL)
    for name in given.subject:
        if name not in known:
            parser.error(f"subject {name!r} is not known; allowed: {', '.join(known)}")
    rows: list[Measured] = []
    is_incomplete = False
    for name, (remark, measure) in subjects(live, is_full=given.full).items():
        if given.subject and name not in given.subject:
            continue
        print(f"measuring: {name} ({remark})", file=sys.stderr, flush=True)
        try:
            rows += measure()
        except ProgramMissingError as error:
            print(f"not measured: {name}: {error}", file=sys.stderr, flush=True)
            is_incomplete = True
    print(as_text(rows))
    path = ROOT / "build" / "bench.json"
    write_json(rows, path)
    print(f"\nwritten: {path.relative_to(ROOT)}")
    return int(is_incomplete or any(row.verdict == "MISSED" for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
