"""Lookups over plain containers, which a test fills and changes."""

from autoscaler.api.control import Control
from autoscaler.webhook.snapshot import Installation

INSTALLATION = Installation(limiter_image="limiter")


class Changing:
    """Lookups over what a test sets and changes."""

    installation = INSTALLATION

    def __init__(self):
        self.objects = {}
        self.all_pools = []
        self.all_quotas = []
        self.switches = Control()

    def control(self):
        return self.switches

    def find(self, asked):
        return self.objects.get(asked)

    def pools(self):
        return self.all_pools

    def quotas(self, namespace):
        return [each for each in self.all_quotas if each["metadata"]["namespace"] == namespace]
