"""Every output format by its name, each a pure function from a report to text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from recommender.report.jsonform import render_json, render_jsonl
from recommender.report.junit import render_junit
from recommender.report.markdown import render_markdown
from recommender.report.model import Report
from recommender.report.options import RenderOptions
from recommender.report.page import render_page
from recommender.report.patches import render_kustomize_text, render_patch
from recommender.report.table import render_table
from recommender.report.tabular import render_csv
from recommender.report.yamlform import render_yaml

Renderer = Callable[[Report, RenderOptions | None], str]

RENDERERS: Mapping[str, Renderer] = MappingProxyType(
    {
        "table": render_table,
        "json": render_json,
        "jsonl": render_jsonl,
        "yaml": render_yaml,
        "csv": render_csv,
        "md": render_markdown,
        "html": render_page,
        "patch": render_patch,
        "kustomize": render_kustomize_text,
        "junit": render_junit,
    }
)
"""Format name, as ``--output`` takes it, to its renderer."""
