"""Which Kubernetes is looked at, where nothing else of it may be read."""

import pytest

from autoscaler.checking.cluster import ClusterFlags, check_cluster
from autoscaler.errors import ForbiddenError


class Server:
    """An API server of a release, which lets nobody read anything but its version."""

    url = "https://api.test"

    def __init__(self, minor):
        self._minor = minor

    def request(self, _method, path, **_options):
        if path != "/version":
            self.refuse()
        return {"major": "1", "minor": self._minor, "gitVersion": f"v1.{self._minor}"}

    def refuse(self, *_what, **_options):
        raise ForbiddenError("may not")

    get = pages = create = refuse

    def close(self):
        pass


@pytest.mark.parametrize(
    ("minor", "status", "next_step"),
    [
        ("32", "warning", "1.33 is the oldest release that is tested, and the chart refuses this."),
        (
            "32+",
            "warning",
            "1.33 is the oldest release that is tested, and the chart refuses this.",
        ),
        ("33", "ok", ""),
        ("37", "ok", ""),
    ],
)
def test_a_cluster_older_than_promised_is_told(minor, status, next_step):
    sections = check_cluster(Server(minor), ClusterFlags(), lambda _share: None)
    found = {each.check: each for section in sections for each in section.findings}

    assert found["api-server"].text == f"Kubernetes v1.{minor} answers."
    assert (found["api-server"].status, found["api-server"].next_step) == (status, next_step)
