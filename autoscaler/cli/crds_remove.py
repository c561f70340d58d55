"""What ``tfa crds remove`` does: looks, asks, deletes, and prints."""

from __future__ import annotations

import sys
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.names import CONTROLLER_LEASE
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.output import print_result
from autoscaler.cli.terminal import is_terminal
from autoscaler.errors import AutoscalerError, NotFoundError, UsageError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import DEPLOYMENTS
from autoscaler.version import tool_version
from autoscaler.workloads.leaving.removing import Doomed, doomed, remove


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveFlags:
    """The arguments of the command."""

    deletes_data: bool
    is_dry_run: bool
    is_agreed: bool
    namespace: str
    kubeconfig: Path | None


def run_remove(flags: RemoveFlags) -> ExitCode:
    """Delete our definitions and print what went with them.

    Raises ``UsageError`` where that was not said or nobody can be asked, ``AutoscalerError`` where
    an installation is there, and ``KubeError``.
    """
    if not (flags.deletes_data or flags.is_dry_run):
        raise UsageError(
            "every profile, workload, pool and quota of the cluster goes with the definitions: "
            "give --delete-data where that is meant, or --dry-run to see what there is"
        )
    if not (flags.is_dry_run or flags.is_agreed or is_terminal(sys.stdin)):
        raise UsageError("stdin is no terminal, so nobody can be asked: give --yes, or --dry-run")
    api = ApiServer.from_environment(
        kubeconfig=flags.kubeconfig, user_agent=f"tfa-crds/{tool_version()}"
    )
    with closing(api):
        definitions = doomed(api)
        if flags.is_dry_run or not definitions:
            print_result(_table(definitions, "would be deleted"))
            return ExitCode.OK
        _require_nobody(api, flags.namespace)
        if not flags.is_agreed and not _is_agreed(api, definitions):
            return ExitCode.INTERRUPTED
        remove(api, definitions)
    print_result(_table(definitions, "deleted"))
    return ExitCode.OK


def _require_nobody(api: ApiServer, namespace: str) -> None:
    """Raise ``AutoscalerError`` where an installation works with the objects."""
    # The Lease and the Deployment have one name.
    with suppress(NotFoundError):
        api.get(DEPLOYMENTS, CONTROLLER_LEASE, namespace, is_metadata_only=True)
        raise AutoscalerError(
            f"Deployment {namespace}/{CONTROLLER_LEASE} works with these objects; uninstall first: "
            "helm uninstall, or tfa leave and kubectl delete -k deploy/kustomize"
        )


def _is_agreed(api: ApiServer, definitions: tuple[Doomed, ...]) -> bool:
    # On stderr, because stdout is the result's.
    sys.stderr.write(f"In {api.url}:\n{_table(definitions, 'will be deleted')}Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _table(definitions: tuple[Doomed, ...], what: str) -> str:
    """Return one line for each definition."""
    if not definitions:
        return "The cluster has no definition of ours.\n"
    return "".join(
        f"{each.name}: {what}, with {len(each.objects.names)} objects\n" for each in definitions
    )
