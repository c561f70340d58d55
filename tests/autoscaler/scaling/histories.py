"""A loop that knows a history, as a process has it once that was read beside the ticks."""

from autoscaler.scaling.collect.collecting import Collector
from recommender.usage.model import UsageModel


def read_history(loop, start_s):
    """Let a loop go on from the history since ``start_s``; errors as ``Collector.bootstrap``."""
    model = UsageModel(loop.model.resources)
    collector = Collector(loop._source, model, step_s=loop.settings.step_s)
    collector.see(loop._cluster.snapshot())
    collector.bootstrap(start_s, loop._clock.now_s())
    loop.swap_usage(model, collector.position())
