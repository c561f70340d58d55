"""The process beside an operator's process: real servers, real scrapes, and its own rights."""

import sys
from contextlib import ExitStack, closing

from autoscaler.api.names import ServiceAccount
from autoscaler.kube.resource import WORKLOADS
from autoscaler.scaling.external.serving import PATH
from tests.cluster.child_processes import start_child
from tests.cluster.definitions import DEPLOY
from tests.cluster.elected_process import ElectedProcess
from tests.cluster.helm import Helm
from tests.cluster.rest import Rest
from tests.cluster.test_chart import BESIDE
from tests.cluster.upstream_objects import (
    A100,
    NAME,
    TEAM,
    TOKEN,
    WORKER,
    in_force,
    make_namespaces,
    make_worker,
    make_workload,
)
from tests.components.fixtures import needed_program
from tests.components.processes import LOOPBACK, free_port, until
from tests.components.servers import scrape_config, show, start_exporter, start_prometheus
from tests.components.worker_metrics import TFLOPS
from tests.components.worker_series import worker_labels

RIGHTS = "templates/autoscaler-beside-upstream.yaml"


def using(tflops):
    labels = worker_labels(TEAM, NAME, WORKER, gpu_model=A100)
    return [{"labels": labels, "values": {TFLOPS.name: tflops}}]


def start_beside(plane, folder, *, prometheus_url, page_port):
    """Start an autoscaler in the profile, with the rights of its ServiceAccount."""
    health_port = free_port()
    command = [
        *(sys.executable, "-m", "autoscaler", "autoscaler", "--profile=beside-upstream"),
        f"--kubeconfig={plane.kubeconfig(ServiceAccount.AUTOSCALER)}",
        f"--prometheus-url={prometheus_url}",
        f"--external-scaler-token-file={folder / 'token'}",
        f"--state-file={folder / 'state'}",
        f"--bind-address={LOOPBACK}",
        f"--health-port={health_port}",
        f"--page-port={page_port}",
        "--tick=1s",
        "--since=1h",
    ]
    process = start_child(command, folder / "autoscaler.log", folder=DEPLOY.parent)
    return ElectedProcess(process=process, health_url=f"http://{LOOPBACK}:{health_port}")


def start_operator(plane, folder):
    module = [sys.executable, "-m", "tests.cluster.upstream_operator"]
    arguments = [f"--kubeconfig={plane.admin_kubeconfig}", "--interval-s=0.5"]
    return start_child([*module, *arguments], folder / "operator.log", folder=DEPLOY.parent)


def test_a_saturated_worker_of_an_operator_gets_a_higher_limit_from_it(
    own_control_plane, prometheus_binaries, tmp_path
):
    needed_program("helm")
    plane, page_port = own_control_plane, free_port()
    (tmp_path / "token").write_text(TOKEN)
    with ExitStack() as stack:
        rest = stack.enter_context(closing(Rest(plane)))
        make_namespaces(rest)
        make_workload(plane, rest, url=f"http://{LOOPBACK}:{page_port}{PATH}")
        make_worker(rest, **{"auto-limits": "true"})
        rights = Helm(folder=tmp_path).template(*BESIDE, shows=RIGHTS).well().out
        plane.kubectl("apply", "-f", "-", stdin=rights).well()
        exported = tmp_path / "exporter"
        exporter = stack.enter_context(start_exporter(exported, using(20.0)))
        server = stack.enter_context(
            start_prometheus(tmp_path / "prometheus", config=scrape_config(exporter.url))
        )
        autoscaler = start_beside(plane, tmp_path, prometheus_url=server.url, page_port=page_port)
        stack.callback(autoscaler.process.stop)
        autoscaler.wait_until_leader()
        operator = start_operator(plane, tmp_path)
        stack.callback(operator.stop)
        until(lambda: "NoScalingNeeded" in operator.log(), what="a quiet worker needs nothing")
        assert in_force(rest, "tflops-limit") == "80"
        show(exported, using(80.0))
        until(
            lambda: float(in_force(rest, "tflops-limit")) >= 120,
            what="the operator has raised the limit",
        )
        assert "forbidden" not in autoscaler.log().lower()
        workload = rest.get(WORKLOADS.path(namespace=TEAM, name=NAME))
        assert workload["status"]["conditions"][0]["reason"] in {"MoreNeeded", "NoScalingNeeded"}
        assert in_force(rest, "tflops-request") == "40"
