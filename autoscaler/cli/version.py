"""``tfa version``: of the tool and of what it writes."""

from __future__ import annotations

from autoscaler.cli.output import print_result


def command() -> None:
    """Print the versions of tfa, of the report format and of Python."""
    import platform

    from autoscaler.version import tool_version
    from recommender.report.model import SCHEMA

    print_result(f"tfa {tool_version()}\nreport {SCHEMA}\npython {platform.python_version()}\n")
