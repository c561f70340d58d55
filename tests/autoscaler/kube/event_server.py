"""The part of an API server that a recorder asks, in memory."""

from autoscaler.errors import AlreadyExistsError, NotFoundError
from autoscaler.kube.resource import EVENTS


class EventServer:
    """Holds events by name; ``before`` is called with the verb and may raise."""

    def __init__(self):
        self.events = {}
        self.calls = []
        self.before = lambda verb: None

    def create(self, resource, obj):
        assert resource == EVENTS
        self._called("create", obj["metadata"]["name"])
        if obj["metadata"]["name"] in self.events:
            raise AlreadyExistsError("it is there")
        self.events[obj["metadata"]["name"]] = obj

    def merge_patch(self, resource, name, patch, namespace):
        assert resource == EVENTS
        self._called("patch", name)
        if name not in self.events:
            raise NotFoundError("it is not there")
        assert self.events[name]["metadata"]["namespace"] == namespace
        self.events[name] |= patch

    def verbs(self):
        return [verb for verb, _ in self.calls]

    def _called(self, verb, name):
        self.calls.append((verb, name))
        self.before(verb)
