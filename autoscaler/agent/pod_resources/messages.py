"""Messages of the kubelet's pod-resources API, version 1: the parts of them that are read here.

Described by a table and built when first used, so that neither generated code nor a compiler for it
is needed; fields that are not in the table are skipped by protobuf.
"""

from __future__ import annotations

from functools import cache
from typing import Any

PACKAGE = "v1"
LIST = f"/{PACKAGE}.PodResourcesLister/List"
REQUEST, RESPONSE = "ListPodResourcesRequest", "ListPodResourcesResponse"
TEXT = ""
"""Type of a field that is a string; others are named by their message."""
MESSAGES: dict[str, tuple[tuple[int, str, str, bool], ...]] = {
    REQUEST: (),
    RESPONSE: ((1, "pod_resources", "PodResources", True),),
    "PodResources": (
        (1, "name", TEXT, False),
        (2, "namespace", TEXT, False),
        (3, "containers", "ContainerResources", True),
    ),
    "ContainerResources": (
        (1, "name", TEXT, False),
        (2, "devices", "ContainerDevices", True),
        (5, "dynamic_resources", "DynamicResource", True),
    ),
    "ContainerDevices": (
        (1, "resource_name", TEXT, False),
        (2, "device_ids", TEXT, True),
    ),
    "DynamicResource": ((4, "claim_resources", "ClaimResource", True),),
    "ClaimResource": (
        (2, "driver_name", TEXT, False),
        (4, "device_name", TEXT, False),
    ),
}
"""Message to its fields: number, name, type, and whether it is a list."""


@cache
def message_class(name: str) -> Any:
    """Return the class of a message.  Raises ``ImportError`` where protobuf is not installed."""
    from google.protobuf import message_factory  # type: ignore[import-untyped]

    found = _pool().FindMessageTypeByName(f"{PACKAGE}.{name}")
    return message_factory.GetMessageClass(found)


@cache
def _pool() -> Any:
    """Return a pool of our own: another client of the same API may be in the process."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="pod_resources.proto", package=PACKAGE, syntax="proto3"
    )
    for message, fields in MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, field, kind, is_list in fields:
            described.field.add(
                name=field,
                number=number,
                label=kinds.LABEL_REPEATED if is_list else kinds.LABEL_OPTIONAL,
                type=kinds.TYPE_MESSAGE if kind else kinds.TYPE_STRING,
                type_name=f".{PACKAGE}.{kind}" if kind else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
