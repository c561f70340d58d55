"""The webhooks of an installation as data, and the entries of their configurations.

The manifests ship the three configurations with ``webhooks: []``; an entry states every field that
the API server would fill in, so that a filled configuration can be compared with ``==``.  Who fills
them, and when, is ``certificate_keeper``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import (
    ENABLED,
    GROUP,
    NAMESPACE,
    PREFIX,
    TEMPLATE_WEBHOOK_CONFIGURATION,
    WEBHOOK_CONFIGURATION,
)
from autoscaler.kube.certificates import certificates_in
from autoscaler.kube.resource import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    MUTATING_CONFIGURATIONS,
    PODS,
    POOLS,
    QUOTAS,
    STATEFUL_SETS,
    VALIDATING_CONFIGURATIONS,
    WORKLOAD_PROFILES,
    WORKLOADS,
    Resource,
)
from autoscaler.kube.webhook_address import Address

Entry = Mapping[str, Any]
TIMEOUT_S = 5
NAMESPACE_NAME = "kubernetes.io/metadata.name"
"""Label that every namespace has."""
_MARKS = "[template.?metadata.?labels, template.?metadata.?annotations]"
IS_TEMPLATE_OF_OURS = (
    "[object.?spec.?template, object.?spec.?jobTemplate.?spec.?template].exists(template, "
    f"template.?metadata.?labels[?'{ENABLED}'].orValue('') != 'false' && {_MARKS}.exists(keys, "
    f"keys.orValue({{}}).exists(key, key.startsWith('{PREFIX}')))) "
    f"|| object.metadata.?labels[?'{ENABLED}'].orValue('false') != 'false'"
)
"""CEL: our keys are in the template, or our label on the object alone, where it does nothing.

An objectSelector sees the labels of the object alone, not those of its pods.
"""
HAS_CHANGED_SPEC = "oldObject == null || object.?spec != oldObject.?spec"
"""CEL: controllers update annotations of these objects all the time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """One webhook: the configuration that it is the only entry of, and what it is asked about."""

    configuration: Resource
    configuration_name: str
    name: str
    """Of the entry."""
    path: str
    resources: tuple[Resource, ...]
    operations: tuple[str, ...]
    is_required: bool
    """Whether a request fails where the webhook does not answer."""
    labels: Mapping[str, str]
    """That an object must have."""
    conditions: Mapping[str, str]
    """Name to CEL expression, all of which must hold."""


PODS_WEBHOOK = Webhook(
    configuration=MUTATING_CONFIGURATIONS,
    configuration_name=WEBHOOK_CONFIGURATION,
    name=f"pods.{GROUP}",
    path="/admit/pods",
    resources=(PODS,),
    operations=("CREATE",),
    is_required=True,
    labels={ENABLED: "true"},
    conditions={},
)
OBJECTS_WEBHOOK = Webhook(
    configuration=VALIDATING_CONFIGURATIONS,
    configuration_name=WEBHOOK_CONFIGURATION,
    name=f"objects.{GROUP}",
    path="/validate/objects",
    resources=(WORKLOAD_PROFILES, WORKLOADS, QUOTAS, POOLS),
    operations=("CREATE", "UPDATE"),
    is_required=True,
    labels={},
    conditions={},
)
TEMPLATES_WEBHOOK = Webhook(
    configuration=VALIDATING_CONFIGURATIONS,
    configuration_name=TEMPLATE_WEBHOOK_CONFIGURATION,
    name=f"templates.{GROUP}",
    path="/validate/templates",
    resources=(DEPLOYMENTS, STATEFUL_SETS, DAEMON_SETS, JOBS, CRON_JOBS),
    operations=("CREATE", "UPDATE"),
    is_required=False,
    labels={},
    conditions={
        "is-template-of-ours": IS_TEMPLATE_OF_OURS,
        "has-changed-spec": HAS_CHANGED_SPEC,
    },
)
WEBHOOKS = (PODS_WEBHOOK, OBJECTS_WEBHOOK, TEMPLATES_WEBHOOK)


def entry_of(
    webhook: Webhook, address: Address, bundle: str, *, namespace: str = NAMESPACE
) -> dict[str, Any]:
    """Return the filled entry of a webhook; ``bundle`` are PEM certificates."""
    entry: dict[str, Any] = {
        "name": webhook.name,
        "clientConfig": address.client_config(webhook.path, bundle),
        "rules": list(_rules(webhook)),
        "failurePolicy": "Fail" if webhook.is_required else "Ignore",
        "matchPolicy": "Equivalent",
        "namespaceSelector": {
            "matchExpressions": [
                {
                    "key": NAMESPACE_NAME,
                    "operator": "NotIn",
                    "values": ["kube-system", namespace],
                }
            ]
        },
        "objectSelector": {"matchLabels": dict(webhook.labels)} if webhook.labels else {},
        "sideEffects": "None",
        "timeoutSeconds": TIMEOUT_S,
        "admissionReviewVersions": ["v1"],
    }
    if webhook.configuration is MUTATING_CONFIGURATIONS:
        entry["reinvocationPolicy"] = "IfNeeded"
    if webhook.conditions:
        entry["matchConditions"] = [
            {"name": name, "expression": text} for name, text in webhook.conditions.items()
        ]
    return entry


def authorities_of(entry: Entry) -> tuple[str, ...]:
    """Return the PEM certificates that an entry carries; none where they are unreadable."""
    encoded = (entry.get("clientConfig") or {}).get("caBundle") or ""
    try:
        return certificates_in(base64.b64decode(encoded, validate=True).decode("utf-8"))
    except (binascii.Error, UnicodeDecodeError):
        return ()


def _rules(webhook: Webhook) -> Iterable[Entry]:
    """Yield one rule for each API group."""
    groups: dict[tuple[str, str], list[Resource]] = {}
    for resource in webhook.resources:
        groups.setdefault((resource.group, resource.version), []).append(resource)
    for (group, version), resources in groups.items():
        yield {
            "apiGroups": [group],
            "apiVersions": [version],
            "operations": list(webhook.operations),
            "resources": [resource.plural for resource in resources],
            "scope": _scope(resources),
        }


def _scope(resources: Sequence[Resource]) -> str:
    return "Namespaced" if all(resource.is_namespaced for resource in resources) else "*"
