"""YAML: the same fields as the canonical JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from recommender.report.model import Report
    from recommender.report.options import RenderOptions


def render_yaml(report: Report, options: RenderOptions | None = None) -> str:
    """Return the report as one YAML document."""
    import yaml

    del options
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml is about ten times as fast
    plain = orjson.loads(orjson.dumps(report))
    text: str = yaml.dump(plain, Dumper=dumper, sort_keys=False, allow_unicode=True, width=1000)
    return text
