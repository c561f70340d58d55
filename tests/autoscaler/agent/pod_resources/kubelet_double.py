"""The pod-resources API on a socket, answering with bytes that a test gives."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

LIST = "/v1.PodResourcesLister/List"


def field(number: int, content: bytes | str | int) -> bytes:
    """Return a field as protobuf writes it: of up to 127 bytes, or a small number."""
    if isinstance(content, int):
        return bytes([number << 3, content])
    data = content.encode() if isinstance(content, str) else content
    size = len(data)
    length = [size] if size < 128 else [size & 127 | 128, size >> 7]
    return bytes([number << 3 | 2, *length]) + data


def pod(name: str, *containers: bytes, namespace: str = "default") -> bytes:
    """Return a pod of a response, its fields numbered as in the kubelet's own description."""
    inner = b"".join(field(3, each) for each in containers)
    return field(1, field(1, name) + field(2, namespace) + inner)


def devices(resource: str, *ids: str) -> bytes:
    topology = field(3, field(1, field(1, 1)))
    return field(2, field(1, resource) + b"".join(field(2, each) for each in ids) + topology)


def claim(driver: str, device: str) -> bytes:
    cdi = field(1, field(1, f"k8s.{driver}/claim=x-{device}"))
    inner = cdi + field(2, driver) + field(3, "node") + field(4, device)
    return field(5, field(2, "claim") + field(3, "default") + field(4, inner))


def container(*contents: bytes) -> bytes:
    cpus = field(3, bytes([1, 2]))
    return field(1, "main") + cpus + b"".join(contents)


class KubeletDouble(grpc.GenericRpcHandler):
    def __init__(self) -> None:
        self.answer = b""
        self.error: tuple[grpc.StatusCode, str] | None = None

    def service(self, details):
        if details.method != LIST:
            return None
        return grpc.unary_unary_rpc_method_handler(self._list)

    def _list(self, request, context):
        assert request == b""
        if self.error:
            context.abort(*self.error)
        return self.answer


@contextmanager
def kubelet_at(socket: Path) -> Iterator[KubeletDouble]:
    double = KubeletDouble()
    with ThreadPoolExecutor(max_workers=1) as threads:
        server = grpc.server(threads, handlers=(double,))
        assert server.add_insecure_port(f"unix://{socket}")
        server.start()
        try:
            yield double
        finally:
            server.stop(grace=None).wait()
