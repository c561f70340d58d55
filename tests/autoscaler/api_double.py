"""An API server in memory that keeps what a real one promises to those who write.

Versions grow and are checked, status is a subresource, pods change only as Kubernetes lets them,
bound pods end in two steps, and names are taken once.  It has no watches: ``show_in`` brings the
caches of a cluster to what is here, whenever a test wants them to see it.
"""

import copy
import re
from urllib.parse import unquote

from autoscaler.api.label_selector import matches
from autoscaler.api.names import CONTROL_CONFIG_MAP
from autoscaler.errors import (
    AlreadyExistsError,
    ConflictError,
    DisruptionError,
    InvalidError,
    NotFoundError,
)
from autoscaler.kube import resource as resources
from autoscaler.kube.api_server import APPLY_PATCH, MERGE_PATCH, STRATEGIC_PATCH, ApiServer
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    DISRUPTION_BUDGETS,
    GPUS,
    PODS,
    POOLS,
    QUOTAS,
    Resource,
)
from autoscaler.kube.timestamps import time_text
from autoscaler.workloads.cluster import KINDS
from tests.autoscaler.api_patches import AppliedStatus, merged, strategically_merged
from tests.autoscaler.api_pod_rules import require_allowed

_BY_PLURAL = {
    (each.api_version, each.plural): each
    for each in vars(resources).values()
    if isinstance(each, Resource)
}
_PATH = re.compile(
    r"/(?:api/(?P<core>v1)|apis/(?P<group>[^/]+/v1))(?:/namespaces/(?P<namespace>[^/]+)(?=/.))?"
    r"/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?(?:/(?P<sub>[^/]+))?"
)
_WITH_STATUS = {
    PODS,
    GPUS,
    POOLS,
    QUOTAS,
    resources.WORKLOADS,
    resources.CONNECTIONS,
    resources.WORKLOAD_PROFILES,
}
"""Kinds whose status is written through the subresource alone."""
_OF_THE_SERVER = ("uid", "resourceVersion", "creationTimestamp", "deletionTimestamp")
"""Metadata that nobody else writes."""
START_S = 1_767_225_600
"""2026-01-01T00:00:00Z."""


class ApiDouble(ApiServer):
    """Use its verbs as those of ``ApiServer``; what tests set and ask beside them stands first."""

    def __init__(self):
        self.now_s = START_S
        """For ``creationTimestamp`` and ``deletionTimestamp``."""
        self.before = lambda method, path: None
        """Called before each request; what it raises is the answer, and nothing is done."""
        self.after = lambda method, path: None
        """Called when a request was carried out; what it raises is the answer."""
        self.admit = lambda resource, obj: obj
        """What admission makes of an object that is created; may raise."""
        self.requests = []
        """(method, path, body) of each request that changes something."""
        self._objects = {}
        self._applied = {}
        self._version = 0
        self._uids = 0

    def add(self, resource, obj):
        """Put an object here as it is, status included; return it as it became."""
        obj = copy.deepcopy(dict(obj))
        metadata = obj["metadata"] = dict(obj["metadata"])
        metadata.setdefault("uid", self._next_uid())
        metadata.setdefault("creationTimestamp", time_text(self.now_s))
        metadata.setdefault("generation", 1)
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
        return self._keep((resource, metadata.get("namespace") or "", metadata["name"]), obj)

    def edit(self, resource, namespace, name, change):
        """Let somebody else change an object: ``change`` is called with it, to be altered."""
        key = self._existing(resource, namespace, name)
        obj = copy.deepcopy(self._objects[key])
        change(obj)
        return self._keep(key, obj)

    def remove(self, resource, namespace, name):
        """Let an object be gone, as when the kubelet has ended a pod."""
        del self._objects[self._existing(resource, namespace, name)]

    def find(self, resource, namespace, name):
        """Return an object; None where there is none."""
        return copy.deepcopy(self._objects.get((resource, namespace or "", name)))

    def all(self, resource, namespace=None):
        """Return the objects of a kind, by namespace and name."""
        found = [
            (key[1:], obj)
            for key, obj in self._objects.items()
            if key[0] == resource and namespace in {None, key[1]}
        ]
        return [copy.deepcopy(obj) for _, obj in sorted(found, key=lambda each: each[0])]

    def show_in(self, cluster):
        """Let the caches of a cluster show what is here."""
        for cached in KINDS:
            kept = [cached.keep(obj) for obj in self.all(cached.resource)]
            cluster.store(cached.resource).replace(kept)
        switches = [
            each for each in self.all(CONFIG_MAPS) if each["metadata"]["name"] == CONTROL_CONFIG_MAP
        ]
        cluster.controls.replace(switches)

    def writes(self):
        """Return the method and the path of each request that changes something."""
        return [(method, path) for method, path, _ in self.requests]

    def request(self, method, path, *, query=None, body=None, content_type="", **_):
        self.before(method, path)
        resource, namespace, name, sub = _parsed(path)
        if method != "GET":
            self.requests.append((method, path, copy.deepcopy(body)))
        body = copy.deepcopy(body)
        answer = self._answer(
            method, resource, namespace, name, sub, query or {}, body, content_type
        )
        self.after(method, path)
        return copy.deepcopy(answer)

    def _answer(self, method, resource, namespace, name, sub, query, body, content_type):
        if sub == "eviction":
            return self._evict(self._existing(resource, namespace, name), body)
        if method == "POST":
            return self._create(resource, namespace, body, is_dry_run=query.get("dryRun") == "All")
        if name is None:
            items = self.all(resource, namespace or None)
            return {"items": items, "metadata": {"resourceVersion": str(self._version)}}
        key = self._existing(resource, namespace, name)
        if method == "GET" or sub == "scale":
            return self._scale(key, body) if sub == "scale" else self._objects[key]
        if method == "DELETE":
            return self._delete(key, body or {})
        return self._patch(key, sub, body, content_type, query)

    def _create(self, resource, namespace, obj, *, is_dry_run):
        metadata = obj.setdefault("metadata", {})
        if resource.is_namespaced:
            metadata["namespace"] = namespace
        if not metadata.get("name"):
            metadata["name"] = f"{metadata['generateName']}{self._uids + 1:05x}"
        key = (resource, metadata.get("namespace") or "", metadata["name"])
        if key in self._objects:
            text = f'{resource.plural} "{key[2]}" already exists'
            raise AlreadyExistsError(text, http_status=409, reason="AlreadyExists")
        if resource in _WITH_STATUS:
            obj.pop("status", None)
        obj = copy.deepcopy(self.admit(resource, obj))
        for field in _OF_THE_SERVER:
            obj["metadata"].pop(field, None)
        if resource == PODS:
            obj["status"] = {"phase": "Pending"}
        if is_dry_run:
            return obj
        return self.add(resource, obj)

    def _patch(self, key, sub, body, content_type, query):
        old = self._objects[key]
        self._require_version(old, body)
        if content_type == APPLY_PATCH:
            if sub != "status":
                raise InvalidError("only a status is applied here")
            book = self._applied.setdefault((key, old["metadata"]["uid"]), AppliedStatus())
            manager = query["fieldManager"]
            status = book.apply(old.get("status") or {}, body.get("status") or {}, manager)
            return self._keep(key, {**old, "status": status})
        merge = {MERGE_PATCH: merged, STRATEGIC_PATCH: strategically_merged}[content_type]
        new = merge(old, body)
        if sub == "status":
            return self._keep(key, {**old, "status": new.get("status") or {}})
        if key[0] in _WITH_STATUS:
            new["status"] = old.get("status") or {}
        given = {key: value for key, value in new["metadata"].items() if key not in _OF_THE_SERVER}
        kept = {key: value for key, value in old["metadata"].items() if key in _OF_THE_SERVER}
        new["metadata"] = {**given, **kept}
        if key[0] == PODS:
            require_allowed(old, new)
        elif new.get("spec") != old.get("spec"):
            new["metadata"]["generation"] = old["metadata"].get("generation", 0) + 1
        return self._keep(key, new)

    def _scale(self, key, patch):
        """Return the scale of an object, after a merge patch if one is given."""
        obj = self._objects[key]
        if patch is not None:
            self._require_version(obj, patch)
            spec = {**(obj.get("spec") or {}), "replicas": patch["spec"]["replicas"]}
            generation = obj["metadata"].get("generation", 0) + 1
            metadata = {**obj["metadata"], "generation": generation}
            obj = self._keep(key, {**obj, "metadata": metadata, "spec": spec})
        identity = ("name", "namespace", "uid", "resourceVersion")
        replicas = (obj.get("spec") or {}).get("replicas", 1)
        return {
            "apiVersion": "autoscaling/v1",
            "kind": "Scale",
            "metadata": {name: obj["metadata"].get(name) for name in identity},
            # as the API does, which leaves a zero out
            "spec": {"replicas": replicas} if replicas else {},
        }

    def _evict(self, key, eviction):
        """Delete a pod within its disruption budgets, each of which allows so many."""
        labels = self._objects[key]["metadata"].get("labels") or {}
        for budget in self.all(DISRUPTION_BUDGETS, key[1]):
            if matches(budget["spec"].get("selector"), labels):
                if budget["status"]["disruptionsAllowed"] < 1:
                    raise DisruptionError("a disruption budget forbids it", http_status=429)
                budget["status"]["disruptionsAllowed"] -= 1
                self._keep((DISRUPTION_BUDGETS, key[1], budget["metadata"]["name"]), budget)
        return self._delete(key, eviction.get("deleteOptions") or {})

    def _delete(self, key, options):
        obj = self._objects[key]
        for field, wanted in (options.get("preconditions") or {}).items():
            if obj["metadata"][field] != wanted:
                text = f"{key[2]}: its {field} is not {wanted}"
                raise ConflictError(text, http_status=409, reason="Conflict")
        is_bound = key[0] == PODS and obj["spec"].get("nodeName")
        if not is_bound or options.get("gracePeriodSeconds") == 0:
            del self._objects[key]
            return obj
        if "deletionTimestamp" in obj["metadata"]:
            return obj
        metadata = {**obj["metadata"], "deletionTimestamp": time_text(self.now_s)}
        return self._keep(key, {**obj, "metadata": metadata})

    def _keep(self, key, obj):
        """Keep an object in a new version, where it is not as it was."""
        old = self._objects.get(key)
        if old is not None and _content(old) == _content(obj):
            return old
        self._version += 1
        metadata = {**obj["metadata"], "resourceVersion": str(self._version)}
        self._objects[key] = {**obj, "metadata": metadata}
        return self._objects[key]

    def _existing(self, resource, namespace, name):
        key = (resource, namespace or "", name)
        if key not in self._objects:
            text = f'{resource.plural} "{name}" not found'
            raise NotFoundError(text, http_status=404, reason="NotFound")
        return key

    def _require_version(self, old, body):
        metadata = (body or {}).get("metadata") or {}
        expected = metadata.get("resourceVersion")
        if expected not in {None, old["metadata"]["resourceVersion"]}:
            name = old["metadata"]["name"]
            text = f"{name}: the object has been modified; version {expected} is not the newest"
            raise ConflictError(text, http_status=409, reason="Conflict")

    def _next_uid(self):
        self._uids += 1
        return f"00000000-0000-4000-8000-{self._uids:012x}"


def _parsed(path):
    found = _PATH.fullmatch(path)
    api_version = found["core"] or found["group"]
    resource = _BY_PLURAL[api_version, found["plural"]]
    name = found["name"] and unquote(found["name"])
    return resource, found["namespace"] or "", name, found["sub"]


def _content(obj):
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return {**obj, "metadata": metadata}
