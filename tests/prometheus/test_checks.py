"""The doctor over real servers, at the end of the history that they hold."""

import pytest

from autoscaler.clock import VirtualClock
from autoscaler.findings import Status
from autoscaler.sources.prometheus.checks import check_source
from autoscaler.sources.prometheus.mappings import AGENT, DCGM, GREPTIMEDB
from autoscaler.sources.prometheus.probe import Check
from tests.components.histories import END_S

DAY_S = 86400


@pytest.fixture
def look(source):
    def look(mapping, *, since_s=14 * DAY_S):
        return check_source(source.client, mapping, clock=VirtualClock(END_S), since_s=since_s)

    return look


def test_a_history_that_goes_on_lacks_nothing_but_length(look):
    findings = look(AGENT)

    # Scrapes are 30 s apart, and the server tells the time of today.
    faults = {f.check for f in findings if f.status in {Status.FAILED, Status.WARNING}}
    assert faults == {Check.CLOCK, Check.HISTORY, Check.INTERVAL}
    [history] = [f for f in findings if f.check == Check.HISTORY]
    assert "of the 14 d that are read" in history.text
    assert "which takes 2 d" in history.text


@pytest.mark.parametrize("mapping", [DCGM, GREPTIMEDB], ids=lambda mapping: mapping.name)
def test_the_mapping_that_fits_a_server_is_named(look, mapping):
    verdict = [f for f in look(mapping) if f.check == Check.SERIES][-1]

    assert verdict.status is Status.FAILED
    assert "tf_worker_memory_bytes: choose --prometheus-mapping agent" in verdict.next_step
