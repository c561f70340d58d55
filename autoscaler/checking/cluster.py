"""Looks at the cluster for ``tfa check``: kinds, switches, webhook, leaders and rights.

Each part of it is looked at on its own: what one may not read keeps nobody from reading the rest.
What each check means stands beside it (``check_kinds`` and so on).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from autoscaler.api.names import NAMESPACE, ServiceAccount
from autoscaler.checking.kinds import CHECK as KINDS
from autoscaler.checking.kinds import check_kinds
from autoscaler.checking.leaders import LEADERS, check_leaders
from autoscaler.checking.rights import check_rights
from autoscaler.checking.webhook import CERTIFICATE, ENTRIES, check_webhook
from autoscaler.checking.workloads import (
    BACK_OFF,
    MODE,
    PAUSES,
    check_back_off,
    check_mode,
    check_pauses,
)
from autoscaler.clock import SystemClock
from autoscaler.errors import ForbiddenError, KubeError, UsageError
from autoscaler.findings import Finding, Section, Status
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import SERVICE_ACCOUNTS
from autoscaler.version import tool_version

REACHABLE, INSTALLED = "api-server", "installed"
OLDEST_MINOR = 33
"""Kubernetes 1.33 is the oldest version that is tested."""
TIMEOUT_S = 5.0
Look = Callable[[], Finding | Sequence[Finding]]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFlags:
    """Which cluster is looked at."""

    namespace: str = NAMESPACE
    """Of the installation."""
    kubeconfig: Path | None = None
    context: str | None = None
    is_left_out: bool = False

    @property
    def is_asked_for(self) -> bool:
        """Whether a cluster that cannot be reached is a fault."""
        return self.kubeconfig is not None or self.context is not None


def open_cluster(flags: ClusterFlags) -> ApiServer | Section:
    """Return the cluster, or the section that says why none is looked at.

    Raises ``UsageError`` where one was asked for that is not named rightly.
    """
    if flags.is_left_out:
        return _without("none", "Left out, as --no-cluster says.")
    try:
        api = ApiServer.from_environment(
            kubeconfig=flags.kubeconfig,
            context=flags.context,
            user_agent=f"tfa-check/{tool_version()}",
        )
    except UsageError as error:
        if flags.is_asked_for:
            raise
        return _without("none", f"No cluster is looked at: {error}.")
    try:
        api.request("GET", "/version", timeout_s=TIMEOUT_S)
    except KubeError as error:
        api.close()
        if not flags.is_asked_for:
            return _without(api.url, f"The cluster cannot be asked: {error}.")
        finding = Finding(
            check=REACHABLE,
            status=Status.FAILED,
            text=str(error),
            next_step="Look at the kubeconfig, and whether kubectl version answers.",
        )
        return Section(name="cluster", subject=api.url, findings=(finding,))
    return api


def check_cluster(api: ApiServer, flags: ClusterFlags, progress: Progress) -> list[Section]:
    """Look at everything and return the sections; what cannot be read is skipped.

    ``progress`` is told the share of the work that is done.
    """
    with closing(api):
        installed, first = _installed(api, flags.namespace)
        is_admitting = ServiceAccount.WEBHOOK in installed
        has_controller = ServiceAccount.CONTROLLER in installed
        namespace = flags.namespace
        parts: list[tuple[str, tuple[str, ...], Look]] = [
            ("cluster", (REACHABLE,), partial(_version, api)),
            ("cluster", (INSTALLED,), lambda: first),
            ("cluster", (KINDS,), partial(check_kinds, api, is_installed=has_controller)),
            (
                "cluster",
                (MODE,),
                partial(check_mode, api, namespace=namespace, is_installed=bool(installed)),
            ),
            ("cluster", (PAUSES,), partial(check_pauses, api, namespace=namespace)),
            ("cluster", (BACK_OFF,), partial(check_back_off, api)),
            (
                "webhook",
                (ENTRIES, CERTIFICATE),
                partial(
                    check_webhook,
                    api,
                    namespace=namespace,
                    now_s=SystemClock().now_s(),
                    is_installed=is_admitting,
                ),
            ),
            (
                "leaders",
                tuple(f"leader-{process}" for process in LEADERS),
                partial(check_leaders, api, namespace=namespace, installed=installed),
            ),
            (
                "rights",
                ("rights",),
                partial(check_rights, api, namespace=namespace, installed=installed),
            ),
        ]
        sections: dict[str, list[Finding]] = {}
        for done, (name, checks, look) in enumerate(parts):
            sections.setdefault(name, []).extend(_looked(checks, look))
            progress((done + 1) / len(parts))
        return [
            Section(name=name, subject=api.url, findings=tuple(findings))
            for name, findings in sections.items()
        ]


def _looked(checks: Sequence[str], look: Look) -> Sequence[Finding]:
    """Return what was found; where it cannot be read, that each of the checks was skipped."""
    try:
        found = look()
    except ForbiddenError as error:
        text, next_step = f"The right to look is missing: {error}.", ""
    except KubeError as error:
        text, next_step = f"It could not be looked at: {error}.", "Try again."
    else:
        return (found,) if isinstance(found, Finding) else found
    return [
        Finding(check=check, status=Status.SKIPPED, text=text, next_step=next_step)
        for check in checks
    ]


def _installed(api: ApiServer, namespace: str) -> tuple[frozenset[str], Finding]:
    """Return the processes whose ServiceAccounts exist, and the finding that names them.

    Where that may not be read, all count as installed: then what lacks is said, not passed over.
    """
    try:
        names = _accounts(api, namespace)
    except KubeError as error:
        text = f"What is installed cannot be read, all is looked for: {error}."
        everything = frozenset(map(str, ServiceAccount))
        return everything, Finding(check=INSTALLED, status=Status.SKIPPED, text=text)
    if not names:
        return names, Finding(
            check=INSTALLED,
            status=Status.SKIPPED,
            text=f"Nothing is installed in the namespace {namespace}.",
            next_step="Another namespace is named by --namespace.",
        )
    text = f"In the namespace {namespace}: {', '.join(sorted(names))}."
    return names, Finding(check=INSTALLED, status=Status.OK, text=text)


def _accounts(api: ApiServer, namespace: str) -> frozenset[str]:
    """Return our ServiceAccounts that exist, each where it belongs."""
    found = {
        (place, obj["metadata"]["name"])
        for place in {account.namespace(namespace) for account in ServiceAccount}
        for objects, _ in api.pages(SERVICE_ACCOUNTS, namespace=place, is_metadata_only=True)
        for obj in objects
    }
    return frozenset(
        str(account)
        for account in ServiceAccount
        if (account.namespace(namespace), account) in found
    )


def _version(api: ApiServer) -> Finding:
    answer = api.request("GET", "/version", timeout_s=TIMEOUT_S)
    version = str(answer.get("gitVersion") or "of an unknown version")
    minor = str(answer.get("minor") or "").rstrip("+")
    is_old = answer.get("major") == "1" and minor.isdecimal() and int(minor) < OLDEST_MINOR
    advice = f"1.{OLDEST_MINOR} is the oldest release that is tested, and the chart refuses this."
    return Finding(
        check=REACHABLE,
        status=Status.WARNING if is_old else Status.OK,
        text=f"Kubernetes {version} answers.",
        next_step=advice if is_old else "",
    )


def _without(subject: str, text: str) -> Section:
    finding = Finding(check=REACHABLE, status=Status.SKIPPED, text=text)
    return Section(name="cluster", subject=subject, findings=(finding,))
