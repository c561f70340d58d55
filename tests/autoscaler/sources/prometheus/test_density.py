import json

import pytest

from autoscaler.sources.prometheus.client import PrometheusClient
from autoscaler.sources.prometheus.connection import Connection
from autoscaler.sources.prometheus.density import Density, density_of
from tests.components.fault_proxy import FaultProxy, Reply


def density(*counts):
    """Return what is read of a server that answers so to each query."""
    rows = [{"metric": {}, "values": [[60 * at, count] for at, count in enumerate(counts)]}]
    result = {"resultType": "matrix", "result": rows if counts else []}
    body = json.dumps({"status": "success", "data": result}).encode()
    with FaultProxy(answer=lambda _seen: Reply(body=body)) as server:
        client = PrometheusClient(Connection(url=server.url))
        found = density_of(client, "m", (0, 3600), 60)
        client.close()
    return found


def test_the_densest_window_counts():
    assert density("3", "40", "5") == Density(series=40, has_several_per_block=True)
    assert density("3", "11") == Density(series=11, has_several_per_block=False)


@pytest.mark.parametrize("counts", [(), ("NaN",), ("+Inf", "-Inf")])
def test_without_a_number_several_samples_per_block_are_assumed(counts):
    assert density(*counts) == Density(series=1, has_several_per_block=True)


def test_what_is_no_number_is_left_out():
    assert density("NaN", "12", "+Inf") == Density(series=12, has_several_per_block=True)
