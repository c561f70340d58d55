"""The doctor of the metrics source: every check in order, each error as a finding.

A look asks a few dozen cheap questions and changes nothing.  What each check looks at stands in
the modules whose names end in ``_checks``; how findings are shown is the command line's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.errors import QueryRejectedError, SourceError
from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus import (
    duplicate_checks,
    history_checks,
    label_checks,
    series_checks,
    server_checks,
    signal_checks,
)
from autoscaler.sources.prometheus.probe import Check, Probe

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.mapping import NameMapping
    from autoscaler.sources.prometheus.promql import Matcher

WARNINGS_SHOWN = 3
Progress = Callable[[float], None]
"""Takes the share that is done, 0 to 1."""


def check_source(
    client: PrometheusClient,
    mapping: NameMapping,
    *,
    clock: Clock,
    since_s: int,
    matchers: Sequence[Matcher] = (),
    progress: Progress = lambda _share: None,
) -> tuple[Finding, ...]:
    """Look at a server as the autoscaler would use it.

    ``since_s`` is how much history is wanted, ``matchers`` narrow every query.  Where the server
    takes no queries, all other checks are skipped.  Raises no ``SourceError``: each is a finding.
    """
    probe = Probe(client=client, mapping=mapping, clock=clock, since_s=since_s, matchers=matchers)
    findings = list(server_checks.reachable(probe))
    if any(finding.status is Status.FAILED for finding in findings):
        return (*findings, *_skipped({finding.check for finding in findings}))
    for done, (check, look) in enumerate(_LOOKS):
        progress(done / len(_LOOKS))
        findings += _guarded(check, look, probe)
    return _merged(findings)


def partial(probe: Probe) -> Iterator[Finding]:
    """Say whether the server warned that answers are not complete."""
    if not probe.warnings:
        yield Finding(
            check=Check.PARTIAL, status=Status.OK, text="No answer of this look was partial"
        )
        return
    more = len(probe.warnings) - WARNINGS_SHOWN
    yield Finding(
        check=Check.PARTIAL,
        status=Status.WARNING,
        text=f"The server warns: {'; '.join(probe.warnings[:WARNINGS_SHOWN])}"
        f"{f'; and {more} more' if more > 0 else ''}",
        next_step="A part of the server may be down, such as a store of Thanos. Partial answers "
        "are used and marked in reports; what is missing may be usage.",
    )


def mapping_limits(probe: Probe) -> Iterator[Finding]:
    """Say what the mapping cannot give."""
    name = probe.mapping.name
    for limit in probe.mapping.limits:
        yield Finding(check=Check.MAPPING, status=Status.OK, text=f"{name}: {limit}")
    if not probe.mapping.limits:
        yield Finding(
            check=Check.MAPPING, status=Status.OK, text=f"{name} has everything that is used"
        )


_LOOKS: tuple[tuple[Check, Callable[[Probe], Iterable[Finding]]], ...] = (
    (Check.SERVER, server_checks.server),
    (Check.CLOCK, server_checks.clock),
    (Check.RANGES, server_checks.ranges),
    (Check.SERIES, series_checks.series),
    (Check.NEWEST, series_checks.newest),
    (Check.INTERVAL, series_checks.interval),
    (Check.HISTORY, history_checks.history),
    (Check.LABELS, label_checks.labels),
    (Check.HONOR_LABELS, label_checks.honor_labels),
    (Check.EXPORTER_LABELS, label_checks.exporter_labels),
    (Check.DUPLICATES, duplicate_checks.duplicates),
    (Check.SIGNALS, signal_checks.signals),
    (Check.IN_FORCE, signal_checks.in_force),
    # After all others: it tells what they were warned of.
    (Check.PARTIAL, partial),
    (Check.MAPPING, mapping_limits),
)


def _guarded(
    check: Check, look: Callable[[Probe], Iterable[Finding]], probe: Probe
) -> Iterator[Finding]:
    """Yield the findings of one check; an error ends this check alone."""
    try:
        yield from look(probe)
    except QueryRejectedError as error:
        # Servers that only resemble Prometheus refuse a form of query here and there.
        yield Finding(
            check=check, status=Status.SKIPPED, text=f"The server refused the question: {error}"
        )
    except SourceError as error:
        yield Finding(
            check=check,
            status=Status.FAILED,
            text=f"The question was not answered: {error}",
            next_step="Try again; if it stays, give the server more time (--timeout) or fewer "
            "series (--selector LABEL=VALUE).",
        )


def _skipped(made: set[str]) -> Iterator[Finding]:
    for check in Check:
        if check not in made:
            yield Finding(
                check=check,
                status=Status.SKIPPED,
                text="Not looked at, because no query is answered",
            )


def _merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings that say the same of several subjects as one."""
    merged: dict[Finding, Finding] = {}
    for finding in findings:
        same = replace(finding, subjects=())
        before = merged.get(same, same)
        merged[same] = replace(finding, subjects=(*before.subjects, *finding.subjects))
    return tuple(merged.values())
