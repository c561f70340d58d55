"""An API server that has what a test says: lists and single objects; its watches stay silent."""

import copy
import threading

from autoscaler.errors import NotFoundError


class SilentStream:
    def __init__(self):
        self._closed = threading.Event()

    def __iter__(self):
        return self

    def __next__(self):
        self._closed.wait()
        raise StopIteration

    def close(self):
        self._closed.set()


class ListedApi:
    """``objects`` maps a resource to its objects; what is not in it is answered by 404."""

    def __init__(self, objects):
        self.objects = objects
        self.asked = []

    def pages(self, resource, *, namespace=None, field_selector="", is_metadata_only=False, **_):
        self.asked.append((resource.plural, namespace, field_selector, is_metadata_only))
        yield [copy.deepcopy(dict(obj)) for obj in self._of(resource)], "1"

    def watch(self, _resource, **_):
        return SilentStream()

    def get(self, resource, name, namespace=None, *, is_metadata_only=False, timeout_s=10.0):
        self.asked.append((resource.plural, namespace, name, is_metadata_only))
        for obj in self._of(resource):
            metadata = obj["metadata"]
            if (metadata["name"], metadata.get("namespace")) == (name, namespace):
                return copy.deepcopy(dict(obj))
        raise NotFoundError(f"{resource.plural} {name} is not there")

    def _of(self, resource):
        if resource not in self.objects:
            raise NotFoundError(f"{resource.plural} is no kind of this server")
        return self.objects[resource]
