"""The Prometheus of a command: named by a flag or the settings, else looked for in the cluster.

It is looked for among the Services of the cluster that ``kubectl`` would ask, or that this pod runs
in.  Whether the one that is found has the right series is for ``tfa check`` to say.  Labels are set
by whoever may make a Service in some namespace, so that no credentials go to what was found.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.cli.prometheus_flags import URL, PrometheusFlags, with_flags
from autoscaler.errors import ForbiddenError, KubeError, UsageError
from autoscaler.kube.access import IN_A_POD
from autoscaler.prometheus_settings import URL_VARIABLE, PrometheusSettings
from autoscaler.version import tool_version

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.prometheus_services import FoundService

CREDENTIALS = ("bearer_token_file", "basic_password_file", "header_files")
"""Arguments of ``Connection`` that are secrets, and are sent."""
_NAMED_MOST = 5
Note = Callable[[str], None]
"""Told what the user should know."""


def server_of(
    settings: PrometheusSettings | None,
    flags: PrometheusFlags,
    *,
    note: Note,
    api: ApiServer | None = None,
    kubeconfig: Path | None = None,
    no_cluster: str = "",
    is_file_possible: bool = False,
    is_unattended: bool = False,
) -> PrometheusSettings:
    """Return the settings of a server that is named or found; they have a URL.

    ``api`` is the cluster that is looked in; without it the one of ``kubeconfig`` or of the
    environment, unless ``no_cluster`` says why there is none.  Where nobody reads the note
    (``is_unattended``), servers of several namespaces are none.  Raises ``UsageError`` where no
    server is named and none is found, and a ``KubeError`` where one is to be looked for (``auto``)
    and the cluster cannot be asked.
    """
    server = with_flags(settings, flags)
    if server.url is not None:
        return server
    lack = _lack(is_file_possible=is_file_possible)
    if any(server.access.get(name) for name in CREDENTIALS):
        raise UsageError(
            f"{lack}; credentials are given, which are sent to a server that is named and to no "
            "other"
        )
    if no_cluster:
        raise UsageError(f"{lack}; it is looked for in a cluster: {no_cluster}")
    try:
        found = _discovered(api, kubeconfig)
    except UsageError as error:
        raise UsageError(f"{lack}; it is looked for in a cluster, but {error}") from error
    except KubeError as error:
        if flags.is_automatic:
            raise
        raise UsageError(f"{lack}; it was looked for in the cluster: {_told(error)}") from error
    if not found:
        raise UsageError(
            f"{lack}; no Service of the cluster has the labels of Prometheus, Thanos, "
            "VictoriaMetrics or Mimir (Services that serve TLS are not taken)"
        )
    if is_unattended and len({each.namespace for each in found}) > 1:
        raise UsageError(
            f"{lack}; several namespaces of the cluster have a Service with such labels, and whose "
            f"metrics count is not for labels to say: {_names(found)}"
        )
    note(choice_text(found, is_in_cluster=bool(os.environ.get(IN_A_POD))))
    return replace(server, url=found[0].url)


def choice_text(found: Sequence[FoundService], *, is_in_cluster: bool) -> str:
    """Return which server is taken, which others there are, and how it is reached from outside."""
    chosen, *others = found
    text = f"metrics are read from {chosen.title} at {chosen.url}, found in the cluster"
    if others:
        text += f"; there are also {_names(others)}: {URL} chooses"
    if not is_in_cluster:
        text += f"; from outside of the cluster: {chosen.forwarded}"
    return text


def _names(found: Sequence[FoundService]) -> str:
    names = ", ".join(f"{each.title} ({each.url})" for each in found[:_NAMED_MOST])
    more = f" and {len(found) - _NAMED_MOST} more" if len(found) > _NAMED_MOST else ""
    return f"{names}{more}"


def _discovered(api: ApiServer | None, kubeconfig: Path | None) -> tuple[FoundService, ...]:
    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.prometheus_services import discover

    if api is not None:
        return discover(api)
    own = ApiServer.from_environment(kubeconfig=kubeconfig, user_agent=f"tfa/{tool_version()}")
    with closing(own):
        return discover(own)


def _lack(*, is_file_possible: bool) -> str:
    file = "give --from USAGE, or a server by" if is_file_possible else "give"
    what = "usage" if is_file_possible else "Prometheus"
    return (
        f"no {what} is named: {file} {URL} URL, {URL_VARIABLE} or prometheus.url in the settings "
        "file"
    )


def _told(error: KubeError) -> str:
    if isinstance(error, ForbiddenError):
        return f"the right to list services in all namespaces is missing: {error}"
    return str(error)
