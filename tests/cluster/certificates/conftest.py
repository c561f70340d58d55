"""One API server for these tests: everybody would see their configurations."""

from contextlib import suppress

import pytest
import yaml

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE, ServiceAccount
from autoscaler.errors import NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import SECRETS
from autoscaler.kube.webhook_entries import WEBHOOKS
from tests.cluster.admission_server import AdmissionServer
from tests.cluster.certificates.installation import CONFIGURATIONS, RIGHTS
from tests.cluster.control_plane import start_control_plane
from tests.components.fixtures import needed_program


@pytest.fixture(scope="package")
def plane(tmp_path_factory):
    """Run an API server with the namespace and the shipped rights of an installation."""
    for name in ("etcd", "kube-apiserver", "kubectl"):
        needed_program(name)
    folder = tmp_path_factory.mktemp("certificates")
    with start_control_plane(folder, controllers=False, scheduler=False) as plane:
        plane.kubectl("create", "namespace", NAMESPACE).well()
        plane.kubectl("apply", "-f", RIGHTS).well()
        yield plane


@pytest.fixture
def api(plane):
    yield from connected(plane, ServiceAccount.CONTROLLER)


@pytest.fixture
def admin(plane):
    """Return the administrator's API, with the shipped, empty configurations and no Secret."""
    for api in connected(plane, "admin"):
        with suppress(NotFoundError):
            api.delete(SECRETS, CERTIFICATE_SECRET, NAMESPACE)
        manifests = yaml.safe_load_all(CONFIGURATIONS.read_text(encoding="utf-8"))
        for webhook, manifest in zip(WEBHOOKS, manifests, strict=True):
            with suppress(NotFoundError):
                api.delete(webhook.configuration, webhook.configuration_name)
            api.create(webhook.configuration, manifest)
        yield api


@pytest.fixture
def webhook(admin):
    with AdmissionServer() as server:
        server.follow(admin)
        yield server


def connected(plane, user):
    api = ApiServer.from_environment(kubeconfig=plane.kubeconfig(user), user_agent="tests")
    yield api
    api.close()
