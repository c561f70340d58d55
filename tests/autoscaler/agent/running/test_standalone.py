"""``tfa agent --standalone`` as a process, on the cards of a fake NVML."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from autoscaler.agent.pages.abi import ONE_Q32
from tests.autoscaler.agent.pages.pages import ctl_of
from tests.cluster.child_processes import PASSED_ON, start_child
from tests.components.processes import LOOPBACK, free_port, status_of, until
from tests.fakes.gpu.cards import CardTraits, make_cards

ROOT = Path(__file__).parents[4]
GIB = 2**30


class Host:
    """A host with one GPU, a file of workers, and an agent."""

    def __init__(self, folder):
        (folder / "cards").mkdir()
        self.cards = make_cards(folder / "cards", CardTraits())
        self.folder = folder
        self.file = folder / "workers.yaml"
        self.port = free_port()
        self.agent = None

    def state(self, *rows):
        beside = self.folder / "new"
        beside.write_text(yaml.safe_dump({"workers": list(rows)}))
        beside.replace(self.file)

    def train(self, **stated):
        return {"name": "train", "root": str(self.folder / "train"), "gpus": [0], **stated}

    def start(self):
        command = [
            *(sys.executable, "-m", "autoscaler", "agent"),
            f"--standalone={self.file}",
            "--node=desk",
            f"--nvml={self.cards.nvml_library}",
            f"--bind-address={LOOPBACK}",
            f"--health-port={self.port}",
        ]
        passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        self.agent = start_child(
            command,
            self.folder / "agent.log",
            environment={**passed_on, **self.cards.environment()},
            folder=ROOT,
        )

    @property
    def is_ready(self):
        return status_of(f"http://{LOOPBACK}:{self.port}/readyz") == 200

    @property
    def share(self):
        return ctl_of(self.folder / "train" / "ctl").gpu[0].share_q32 / ONE_Q32


@pytest.fixture
def host(tmp_path):
    made = Host(tmp_path)
    yield made
    if made.agent is not None:
        made.agent.kill()
    made.cards.cards[0].close()


def test_a_host_without_kubernetes_is_served_from_a_file(host, tfa):
    host.state(host.train(**{"compute-percent-limit": 30, "vram-limit": "20Gi"}))
    host.start()
    until(lambda: host.agent.has_ended or host.is_ready, what="the agent is ready")
    assert host.share == pytest.approx(0.3)

    host.state(host.train(**{"compute-percent-limit": 60}))
    until(lambda: host.share == pytest.approx(0.6), what="the new limit is in force")
    shown = tfa("agent", "top", "-o", "json", f"--address={LOOPBACK}:{host.port}")
    host.agent.ask_to_end()

    document = json.loads(shown.out)
    assert document["node"] == "desk"
    [gpu] = document["gpus"]
    assert (gpu["gpuModel"], gpu["vramBytes"]) == ("NVIDIA H100 80GB HBM3", 80 * GIB)
    [worker] = document["workers"]
    assert (worker["worker"], worker["effectiveShare"]) == ("train", pytest.approx(0.6))
    assert host.agent.wait_and_clear() == 0
    assert host.share == pytest.approx(0.6)


def test_a_wrong_file_keeps_the_agent_from_being_ready_and_is_told(host):
    host.state(host.train() | {"gpus": [7]})
    host.start()

    until(
        lambda: f"not ready: {host.file}" in (host.folder / "agent.log").read_text(),
        what="the file is told of",
    )
    assert not host.is_ready

    host.state(host.train())
    until(lambda: host.is_ready, what="the agent is ready")
