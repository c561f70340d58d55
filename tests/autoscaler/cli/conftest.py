import pytest

from tests.generated_usage import fleet, write_csv

WORKLOADS = """\
- namespace: team
  workload: chat
  tflops_request: 40
  tflops_limit: 80
  vram_request: 8Gi
  vram_limit: 12Gi
  gpu_model: A100
  replicas: 1
  price_per_hour: 3
  owner: Deployment/chat
  pool: main
- series_id: team/search
  tflops_request: 10
  tflops_limit: 12
  vram_request: 8Gi
  vram_limit: 16Gi
  gpu_model: L4
  qos: high
  kind: StatefulSet
"""


@pytest.fixture(scope="session")
def usage(tmp_path_factory):
    """Three workloads over two days; chat is too large, search too small, train not stated."""
    frame = fleet(["team/chat", "team/search", "batch/train"], 2.0)
    return write_csv(frame, tmp_path_factory.mktemp("usage") / "usage.csv")


@pytest.fixture(scope="session")
def workloads(tmp_path_factory):
    path = tmp_path_factory.mktemp("workloads") / "workloads.yaml"
    path.write_text(WORKLOADS)
    return path


@pytest.fixture
def report(tfa, usage, workloads):
    """Run ``tfa report`` on the three workloads, without the back-test."""

    def report(*arguments):
        return tfa("report", "--from", usage, "--workloads", workloads, "--no-what-if", *arguments)

    return report
