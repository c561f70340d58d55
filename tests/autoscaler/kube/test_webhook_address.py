import base64

import pytest

from autoscaler.errors import UsageError
from autoscaler.kube.webhook_address import ServiceAddress, UrlAddress


def test_a_service_is_verified_by_its_cluster_name():
    address = ServiceAddress(namespace="system", name="webhook")
    assert address.server_name == "webhook.system.svc"
    assert address.names == ("webhook.system.svc", "webhook.system.svc.cluster.local")


def test_a_service_is_called_by_namespace_name_port_and_path():
    address = ServiceAddress(namespace="system", name="webhook", port=8443)
    assert address.client_config("/a", "PEM") == {
        "service": {"namespace": "system", "name": "webhook", "path": "/a", "port": 8443},
        "caBundle": base64.b64encode(b"PEM").decode(),
    }


def test_a_url_is_verified_by_its_host_and_called_below_it():
    address = UrlAddress(url="https://127.0.0.1:9443")
    assert (address.server_name, address.names) == ("127.0.0.1", ("127.0.0.1",))
    assert address.client_config("/a", "PEM")["url"] == "https://127.0.0.1:9443/a"


def test_an_address_of_version_six_is_named_without_brackets():
    assert UrlAddress(url="https://[::1]:9443").server_name == "::1"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9443",
        "https://",
        "127.0.0.1:9443",
        "https://a/path",
        "https://a/",
        "https://a?b=c",
        "https://a#b",
        "https://user:word@a",
        "https://a:99999",
        "https://a:0",
        "https://[::1",
        "https://my_host",
        "https://a..b",
        "https://ä.example",
        f"https://{'a' * 64}.example",
        "",
    ],
)
def test_urls_that_an_api_server_would_refuse_are_refused(url):
    with pytest.raises(UsageError, match=r"address of the webhook: .*allowed: https://"):
        UrlAddress(url=url)
