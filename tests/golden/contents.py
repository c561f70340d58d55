"""What golden files, shipped schemas and definitions, and the reference pages should contain."""

from pathlib import Path

from autoscaler.api.crd import definition_yaml
from autoscaler.api.kinds import KINDS
from autoscaler.cli.config import SchemaOf
from autoscaler.cli.settings_table import schema_text
from autoscaler.scaling.page.openapi import render_description
from recommender.report.diff import compare, render_diff_json, render_diff_table
from recommender.report.jsonform import render_schema
from recommender.report.options import RenderOptions
from recommender.report.renderers import RENDERERS
from recommender.resources import GIB
from tests.golden.alert_rules import RULES, prometheus_rule
from tests.golden.api_pages import annotations_page, kinds_page
from tests.golden.chart import chart_files
from tests.golden.dashboards import PANELS, dashboard_json, read_panels
from tests.golden.json_api import api_page
from tests.golden.reference import cli_page, metrics_page, reasons_page, settings_page
from tests.recommender.report.builders import Row, report, tflops, vram
from tests.recommender.report.fleets import varied_report

FOLDER = Path(__file__).parent
REFERENCE = FOLDER.parents[1] / "docs" / "reference"
DEPLOY = FOLDER.parents[1] / "deploy"
SCHEMA = DEPLOY / "schema" / "report-v1.schema.json"
OPENAPI = DEPLOY / "schema" / "openapi-v1.json"
EDITOR_SCHEMAS = {
    "auto-scaling-config-v1": "autoScalingConfig",
    "workload-profile-v1": "profile",
    "gpu-pool-v1": "pool",
    "gpu-resource-quota-v1": "quota",
    "settings-v1": "settings",
}
"""File in ``deploy/schema`` to what ``tfa config schema`` calls it."""
CRDS = DEPLOY / "crds"


def golden_files() -> dict[Path, str]:
    """Return every golden file and its contents."""
    fleet = varied_report()
    small = report(Row(tflops=tflops(target_request=6.0, blocks=(4.0, 5.0, 20.0))))
    later = report(Row(workload="new"), Row(vram=vram(denials=1, target_limit=10 * GIB)))
    wide = RenderOptions(is_wide=True, include_ok=True, group_by="namespace")
    diff = compare(small, later)
    contents = {
        "report.json": RENDERERS["json"](small, None),
        "report.csv": RENDERERS["csv"](fleet, None),
        "report.md": RENDERERS["md"](fleet, None),
        "report.junit.xml": RENDERERS["junit"](fleet, None),
        "report.txt": RENDERERS["table"](fleet, None),
        "report-wide.txt": RENDERERS["table"](fleet, wide),
        "report.patch.yaml": RENDERERS["patch"](fleet, None),
        "report.kustomize.yaml": RENDERERS["kustomize"](fleet, None),
        "diff.txt": render_diff_table(diff),
        "diff.json": render_diff_json(diff),
    }
    files = {FOLDER / name: text for name, text in contents.items()}
    pages = {
        "settings.md": settings_page(),
        "reasons.md": reasons_page(),
        "cli.md": cli_page(),
        "metrics.md": metrics_page(),
        "annotations.md": annotations_page(),
        "kinds.md": kinds_page(),
        "api.md": api_page(),
    }
    files |= {CRDS / f"{kind.plural}.yaml": definition_yaml(kind) for kind in KINDS}
    files |= chart_files()
    files |= {SCHEMA: render_schema(), OPENAPI: render_description()}
    files |= {RULES.with_name("prometheus-rule.yaml"): prometheus_rule()}
    files |= {
        PANELS.parent / f"{path.stem}.json": dashboard_json(read_panels(path))
        for path in sorted(PANELS.glob("*.yaml"))
    }
    files |= {
        DEPLOY / "schema" / f"{name}.schema.json": schema_text(SchemaOf(of))
        for name, of in EDITOR_SCHEMAS.items()
    }
    return files | {REFERENCE / k: v for k, v in pages.items()}
