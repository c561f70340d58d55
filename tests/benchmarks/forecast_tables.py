"""Scores the forecasts on recorded demand: the goals table of ``docs/benchmarks.md``.

    TFA_TRACES=FOLDER python -m tests.benchmarks.forecast_tables [--without PART] [SUBJECT ...]

SUBJECT is ``limits``, ``requests`` or ``vram`` (open loop, at an equal share of violated samples),
``replicas`` (at 1 % overloaded samples),
``next-limits`` or ``next-requests`` (what is in force after pace and budgets, at an equal share),
``closed`` (limits that hide what is above them), ``faults`` (the same history, damaged), ``cold``
(limits of series that are younger than a day) or ``pinball``; or one panel of them such as
``limits/servegen``.  ``--without`` leaves out parts or experts, which shows what each brings.
FOLDER holds the replay benchmark (``bench``) and its series (``data``).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from recommender.forecast.forecaster import EXPERTS
from recommender.observation import Floats
from tests.benchmarks.forecast_plugin import DEFAULT_RISK, PARTS, Forecasting
from tests.benchmarks.forecast_scores import (
    KNOBS,
    Make,
    Panel,
    Score,
    geometric_mean,
    panels,
    replica_counts,
)
from tests.benchmarks.next_plugin import Enrolled, Paced
from tests.benchmarks.replay_sweep import Benchmark
from tests.traces import VARIABLE, recorded_traces

FIRST = "TF*"
CLOSED_PANELS = ("gentd_util", "servegen")
CLOSED_RISKS = (0.018, 0.01)
COLD_AGES_H = ((1, 6), (6, 24))
COLD_VIOLATION = 0.02
COLD_RISKS = (0.3, 0.2, 0.12, 0.08, 0.05, 0.03, 0.018, 0.01)
"""What is violated is still far from what is promised."""
NEXT = "next-"
NEXT_SHARES = (5.0, 3.0, 1.8, 1.0, 0.5, 0.25)
"""Of the promise, which are replayed: what is in force is above what is right for a while."""
QUANTILES = (0.9, 0.95, 0.99)
HEAD = (
    "panel",
    "slack",
    "to TF*",
    "90 % of draws",
    "to VPA*",
    "shaped on / others",
    "changes a day",
    "above / demand (TF*)",
    "realised / promised, mean and P90",
)


def table(bench: Benchmark, kind: str, name: str | None, make: Make) -> Iterator[str]:
    """Yield the lines of the table of one task, or of one of its panels."""
    yield from _head(HEAD)
    scores = []
    for panel in panels(bench, kind, name and [name]):
        allocations = panel.replayed(KNOBS[kind], make)
        scores.append(panel.scored(allocations))
        yield _line(panel, scores[-1], allocations)
    if name is None:
        first, second = (
            geometric_mean([score.ratio(reference) for score in scores])
            for reference in scores[0].references
        )
        yield f"| geometric mean |  | {first:.3f} |  | {second:.3f} |  |  |  |  |"


def replicas(bench: Benchmark, _: str, name: str | None, make: Make) -> Iterator[str]:
    """Yield what counts of replicas cost, at an equal share of overloaded samples."""
    references = (bench.replicas.HPA, bench.replicas.STATIC)
    of_references = (f"to {reference}" for reference in references)
    yield from _head(("service", "slack", *of_references, "changes a day", "overloaded / asked"))
    knobs, promised = KNOBS["replicas"], DEFAULT_RISK["replicas"]
    for service_name, service in bench.replicas.iter_services(bench.data, name and [name]):
        wanted = replica_counts(bench, service, knobs, make)
        rows = bench.replicas.simulate(service, wanted)
        line = bench.line("replicas", service_name, service, rows, references)
        ratios = [line.slack / reference for reference in line.references]
        cells = (
            service_name,
            f"{line.slack:.3g}",
            *("not reached" if np.isnan(ratio) else f"{ratio:.3f}" for ratio in ratios),
            f"{line.changes:.0f}",
            f"{rows.viol.iloc[knobs.index(promised)] / promised:.2f}",
        )
        yield f"| {' | '.join(cells)} |"


def after_pace(bench: Benchmark, kind: str, name: str | None, _: Make) -> Iterator[str]:
    """Yield what ``next`` has in force, after pace and budgets, beside ``TF*`` at the same pace."""
    yield from _head(
        (
            "panel",
            "slack",
            f"{FIRST} at the same pace",
            "ratio",
            "changes a day",
            "above / demand",
            "realised / promised, mean and P90",
        )
    )
    task = kind.removeprefix(NEXT)
    promised, ratios = DEFAULT_RISK[task], []
    for panel in panels(bench, task, name and [name]):
        risks = [promised * share for share in NEXT_SHARES]
        ours = panel.scored_in_force([panel.in_force(Enrolled, risk) for risk in risks])
        references = panel.best_of_first(risks)
        theirs = panel.scored_in_force(
            [panel.in_force(partial(Paced, amounts=each.T), promised) for each in references]
        )
        kept = ours.rows.iloc[NEXT_SHARES.index(1.0)]
        ratios.append(ours.slack / theirs.slack)
        cells = (
            panel.name,
            f"{ours.slack:.3g}",
            f"{theirs.slack:.3g}",
            f"{ratios[-1]:.3f}",
            f"{ours.changes:.0f} ({theirs.changes:.0f})",
            f"{ours.throttled:.4f} ({theirs.throttled:.4f})",
            f"{kept.viol / promised:.2f}, {kept.p90_viol / promised:.2f}",
        )
        yield f"| {' | '.join(cells)} |"
    if name is None:
        yield f"| geometric mean |  |  | {geometric_mean(ratios):.3f} |  |  |  |"


def closed(bench: Benchmark, _: str, name: str | None, make: Make) -> Iterator[str]:
    """Yield how limits fare that hide what is above them, at the knob of 1 % and one beside it."""
    yield from _head(
        ("panel", "risk", "open: slack, violated, above", "closed: slack, violated, above")
    )
    for panel in panels(bench, "limits", [name] if name else CLOSED_PANELS):
        opened = panel.rows(panel.replayed(CLOSED_RISKS, make))
        for number, risk in enumerate(CLOSED_RISKS):
            allocations = bench.replay.replay(panel.task, make, risk, closed=True)[0]
            shut = bench.scoring.score(panel.task, allocations[None], 0.0).iloc[0]
            sides = [
                f"{row.slack:.3g}, {100 * row.viol:.2f} %, {100 * row.thr:.2f} %"
                for row in (opened.iloc[number], shut)
            ]
            yield f"| {panel.name} | {risk:g} | {sides[0]} | {sides[1]} |"


def faults(bench: Benchmark, _: str, name: str | None, make: Make) -> Iterator[str]:
    """Yield the ratio to ``TF*`` with a whole and with a damaged history, both fed the same."""
    yield from _head(("panel", "whole", "damaged", "rise"))
    damage = bench.faults.Faults.parse("all")
    for panel in panels(bench, "limits", [name] if name else CLOSED_PANELS):
        whole, damaged = (
            panel.scored(panel.replayed(KNOBS["limits"], make, each)).slack
            / panel.slack_of_first(each)
            for each in (None, damage)
        )
        rise = 100 * (damaged / whole - 1)
        yield f"| {panel.name} | {whole:.3f} | {damaged:.3f} | {rise:.1f} % |"


def cold(bench: Benchmark, _: str, name: str | None, make: Make) -> Iterator[str]:
    """Yield how limits do while nothing is known yet, beside the references at the same ages."""
    yield from _head(("panel", "age", "slack", "to TF*", "to VPA*", "changes a day"))
    for panel in panels(bench, "limits", name and [name]):
        for first_h, last_h in COLD_AGES_H:
            aged = panel.aged(first_h, last_h, COLD_VIOLATION)
            score = aged.scored(aged.replayed(COLD_RISKS, make))
            ratios = " | ".join(f"{score.ratio(each):.3f}" for each in score.references)
            age = f"{first_h} to {last_h} h"
            yield f"| {panel.name} | {age} | {score.slack:.3g} | {ratios} | {score.changes:.0f} |"


def pinball(bench: Benchmark, _: str, name: str | None, make: Make) -> Iterator[str]:
    """Yield the loss of quantiles of the judged window over that of the histogram, and coverage."""
    yield from _head(("task", "panel", "loss over the histogram's", "coverage of 99 %"))
    for kind in ("requests", "limits"):
        ratios = []
        for panel in panels(bench, kind, name and [name]):
            given = bench.scoring.pinball(panel.task, panel.replayed(QUANTILES, make), QUANTILES)
            others = bench.scoring.pinball(
                panel.task,
                bench.baselines.histogram_percentiles(panel.task, 60, QUANTILES),
                QUANTILES,
            )
            losses = [sum(each[f"pinball_{q:g}"] for q in QUANTILES) for each in (given, others)]
            ratio, covered = losses[0] / losses[1], 100 * given["coverage_0.99"]
            if np.isfinite(ratio):
                ratios.append(ratio)
                yield f"| {kind} | {panel.name} | {ratio:.3f} | {covered:.1f} % |"
            else:
                yield f"| {kind} | {panel.name} | too short |  |"
        if ratios:
            yield f"| {kind} | geometric mean | {geometric_mean(ratios):.3f} |  |"


def _head(names: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(names)} |"
    yield f"|{'---|' * len(names)}"


def _line(panel: Panel, score: Score, allocations: Floats) -> str:
    to_first, to_second = (score.ratio(reference) for reference in score.references)
    drawn = panel.interval(allocations)
    halves = []
    for half in panel.halves():
        if half.any():
            part = panel.scored(allocations, half)
            halves.append(f"{part.ratio(next(iter(part.references))):.3f}")
        else:
            halves.append("-")
    rows = panel.rows(allocations)
    promised = DEFAULT_RISK[panel.kind]
    kept = rows.iloc[KNOBS[panel.kind].index(promised)]
    cells = (
        panel.name,
        f"{score.slack:.3g}",
        f"{to_first:.3f}",
        "" if drawn is None else f"{drawn[0]:.2f} to {drawn[1]:.2f}",
        f"{to_second:.3f}",
        " / ".join(halves),
        f"{score.changes:.0f}",
        f"{score.throttled:.4f} ({score.reference_throttled:.4f})",
        f"{kept.viol / promised:.2f}, {kept.p90_viol / promised:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("subject", nargs="*", default=list(SUBJECTS), metavar="SUBJECT")
    parser.add_argument("--without", nargs="+", default=[], choices=(*PARTS, *EXPERTS))
    given = parser.parse_args(words)
    traces = recorded_traces()
    if traces is None:
        print(f"{VARIABLE} names no folder with a replay benchmark", file=sys.stderr)
        return 2
    bench = Benchmark(traces)
    make = type("Method", (Forecasting,), {"without": tuple(given.without)})
    left_out = f", without {', '.join(given.without)}" if given.without else ""
    for subject in given.subject:
        kind, _, name = subject.partition("/")
        if kind not in SUBJECTS:
            parser.error(f"subject {subject!r} is not known; allowed: {', '.join(SUBJECTS)}")
        print(f"### {subject}{left_out}\n", flush=True)
        for line in SUBJECTS[kind](bench, kind, name or None, make):
            print(line, flush=True)
        print(flush=True)
    return 0


SUBJECTS = {
    "limits": table,
    "requests": table,
    "vram": table,
    "next-limits": after_pace,
    "next-requests": after_pace,
    "replicas": replicas,
    "closed": closed,
    "faults": faults,
    "cold": cold,
    "pinball": pinball,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
