"""The kubelet's pod-resources API: what device plugins and resource claims gave to containers.

It answers on a socket of the node.  Its library, grpc, is an optional extra.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autoscaler.agent.pod_resources.allocation import Allocation, PodResourcesError
from autoscaler.agent.pod_resources.messages import LIST, REQUEST, RESPONSE, message_class

TIMEOUT_S = 5.0
LONGEST_ANSWER_BYTES = 16 * 2**20
"""As the kubelet's own client allows."""


def ask_kubelet(socket: Path, *, timeout_s: float = TIMEOUT_S) -> tuple[Allocation, ...]:
    """Return all devices that containers of this node have.  Raises ``PodResourcesError``."""
    try:
        import grpc  # type: ignore[import-untyped]

        request, response = message_class(REQUEST), message_class(RESPONSE)
    except ImportError as error:
        raise PodResourcesError(
            f"the kubelet cannot be asked: {error}; install the extra 'pod-resources'"
        ) from error
    options = [("grpc.max_receive_message_length", LONGEST_ANSWER_BYTES)]
    with grpc.insecure_channel(f"unix://{socket}", options=options) as channel:
        ask = channel.unary_unary(
            LIST,
            request_serializer=request.SerializeToString,
            response_deserializer=response.FromString,
        )
        try:
            answer = ask(request(), timeout=timeout_s)
        except grpc.RpcError as error:
            text = f"the kubelet does not answer on {socket}: {error.code().name}"
            raise PodResourcesError(f"{text}: {error.details()}") from error
    return allocations_in(answer)


def allocations_in(answer: Any) -> tuple[Allocation, ...]:
    """Return what a ``ListPodResourcesResponse`` says, in its order."""
    found: list[Allocation] = []
    for pod in answer.pod_resources:
        name = f"{pod.namespace}/{pod.name}"
        for container in pod.containers:
            found += (
                Allocation(resource=each.resource_name, device_ids=tuple(each.device_ids), pod=name)
                for each in container.devices
            )
            found += (
                Allocation(resource=each.driver_name, device_ids=(each.device_name,), pod=name)
                for claim in container.dynamic_resources
                for each in claim.claim_resources
            )
    return tuple(found)
