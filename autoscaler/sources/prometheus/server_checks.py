"""Checks of the server itself: does it answer, who is it, what does its clock say."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from autoscaler.errors import AnswerError, QueryRejectedError, SourceError
from autoscaler.findings import Finding, Status
from autoscaler.sources.prometheus.probe import Check
from recommender.sentences import duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from autoscaler.sources.prometheus.probe import Probe

CLOCK_WARNING_S = 5
CLOCK_FAILURE_S = 60
VICTORIAMETRICS_COMPATIBLE_VERSION = "2.24.0"
"""What VictoriaMetrics states, and nothing beside it, whatever its own version is."""
LEFT_OPEN_COUNT, LEFT_CLOSED_COUNT = 1, 2
_CREDENTIALS_STEP = (
    "Give a token (--prometheus-token-file), a user with a password file, or the header of your "
    "tenant (--prometheus-header 'X-Scope-OrgID: ...')."
)
REFUSED_STEPS: Mapping[int | None, str] = {
    HTTPStatus.UNAUTHORIZED: f"The server does not know who asks. {_CREDENTIALS_STEP}",
    HTTPStatus.FORBIDDEN: "Whoever asks may not read. Let the account read queries, which are sent "
    f"as POST to /api/v1/query and /api/v1/query_range, or ask as another one. {_CREDENTIALS_STEP}",
    HTTPStatus.NOT_FOUND: "The path prefix of the URL is missing or wrong, for example /prometheus "
    "of Mimir: give what stands before /api/v1/query.",
    HTTPStatus.METHOD_NOT_ALLOWED: "Something on the way takes GET alone. Queries are sent as "
    "POST: let it pass to /api/v1/query and /api/v1/query_range.",
}
"""What to do where the cheapest query was refused, by the status of HTTP."""
OTHER_REFUSAL_STEP = (
    "The server's own words say why. Is a parameter missing that names what to read "
    "(prometheus.parameters, for example {db: public} of GreptimeDB)?"
)


def reachable(probe: Probe) -> Iterator[Finding]:
    """Ask the cheapest question, to see whether there is a server that takes our queries."""
    url = probe.client.connection.url
    try:
        probe.ask("vector(1)")
    except (QueryRejectedError, AnswerError) as error:
        yield Finding(check=Check.REACHABLE, status=Status.OK, text=f"{url} answers")
        yield _not_accepted(error)
    except SourceError as error:
        yield Finding(
            check=Check.REACHABLE,
            status=Status.FAILED,
            text=str(error),
            next_step="From this machine, try "
            f"'curl {url.rstrip('/')}/api/v1/query?query=1'. Look at host, "
            "port, DNS, network policies and certificates (--ca-file); where the server is only "
            "slow, give it more time (--timeout).",
        )
    else:
        yield Finding(check=Check.REACHABLE, status=Status.OK, text=f"{url} answers")
        yield Finding(check=Check.ACCEPTED, status=Status.OK, text="It takes queries")


def _not_accepted(error: SourceError) -> Finding:
    if isinstance(error, QueryRejectedError):
        next_step = REFUSED_STEPS.get(error.http_status, OTHER_REFUSAL_STEP)
    else:
        next_step = (
            "The URL leads to something else, such as a login page: give the address "
            "before /api/v1/query, with its path prefix."
        )
    return Finding(check=Check.ACCEPTED, status=Status.FAILED, text=str(error), next_step=next_step)


def server(probe: Probe) -> Iterator[Finding]:
    """Say who answers, and how far behind its evaluations are."""
    try:
        build = probe.client.build()
    except (AnswerError, QueryRejectedError):
        # A gateway may pass queries alone; who is behind it is only good to know.
        build = {}
    text = server_name(build)
    evaluated_s = probe.number("time()")
    behind_s = 0.0 if evaluated_s is None else probe.now_s - evaluated_s
    if behind_s >= 1:
        text += (
            f". It evaluates as of {duration(behind_s)} ago (VictoriaMetrics: "
            "-search.latencyOffset); raw samples are read without this delay"
        )
    yield Finding(check=Check.SERVER, status=Status.OK, text=text)


def server_name(build: Mapping[str, str]) -> str:
    """Return who a server is by its build information."""
    version = build.get("version", "")
    if "application" in build:
        return f"{build['application']} {version}".rstrip()
    if version == VICTORIAMETRICS_COMPATIBLE_VERSION and len(build) == 1:
        return "VictoriaMetrics"
    if not version:
        return "A server without build information"
    if "goVersion" not in build:
        return f"A server of version {version}"
    # Prometheus has been at 1 or above ever since it states build information
    return f"Thanos {version}" if version.startswith("0.") else f"Prometheus {version}"


def clock(probe: Probe) -> Iterator[Finding]:
    """Compare the server's ``Date`` with our clock: ``time()`` only repeats the time we ask for."""
    server_s = probe.client.server_time_s
    if server_s is None:
        yield Finding(
            check=Check.CLOCK, status=Status.SKIPPED, text="The server states no time (Date header)"
        )
        return
    ahead_s = server_s - probe.clock.now_s()
    apart_s = abs(ahead_s)
    if apart_s <= CLOCK_WARNING_S:
        yield Finding(
            check=Check.CLOCK, status=Status.OK, text=f"Within {CLOCK_WARNING_S} s of ours"
        )
        return
    yield Finding(
        check=Check.CLOCK,
        status=Status.FAILED if apart_s > CLOCK_FAILURE_S else Status.WARNING,
        text=f"The server's clock is {duration(apart_s)} "
        f"{'ahead of' if ahead_s > 0 else 'behind'} ours",
        next_step="Synchronise both machines (NTP): the newest samples are missed or come late.",
    )


def ranges(probe: Probe) -> Iterator[Finding]:
    """Tell whether a range takes in the sample at its left end."""
    count = probe.number("count_over_time(vector(1)[1m:1m] @ 600)")
    if count == LEFT_OPEN_COUNT:
        yield Finding(
            check=Check.RANGES,
            status=Status.OK,
            text="A range such as [1m] leaves out a sample at its very beginning: no sample counts "
            "in two minutes",
        )
    elif count == LEFT_CLOSED_COUNT:
        yield Finding(
            check=Check.RANGES,
            status=Status.OK,
            text="A range such as [1m] takes in a sample at its very beginning, as those of "
            "Prometheus 2 do: one that lies exactly 1 ms before a minute counts in two minutes of "
            "the history. Nothing needs to be done",
        )
    else:
        yield Finding(
            check=Check.RANGES, status=Status.SKIPPED, text="The server does not tell its rule"
        )
