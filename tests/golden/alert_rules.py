"""The alerts of ``deploy/alerts`` as an object of the Prometheus Operator."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

RULES = Path(__file__).parents[2] / "deploy" / "alerts" / "rules.yaml"
HEAD = """\
# Generated from rules.yaml by `make golden`; do not edit.
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: tensor-fusion-autoscaler
  namespace: tensor-fusion-autoscaler
  labels:
    app.kubernetes.io/name: tensor-fusion-autoscaler
spec:
"""


def prometheus_rule() -> str:
    """Return the object: the groups as they stand in the file, below ``spec``."""
    text = RULES.read_text(encoding="utf-8")
    return HEAD + indent(text[text.index("groups:\n") :], "  ")
