"""The report as one HTML page that needs no network and no JavaScript.

The page holds everything: one row per workload, its details below it, plots as inline SVG, and the
report as embedded JSON.  A script of a few lines sorts and filters what is already there.  Style
and script are allowed by their hashes, so the page works under a strict content security policy.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from recommender.report.grouping import by_workload
from recommender.report.jsonform import compact_json
from recommender.report.page_rows import namespace_rows, page_row
from recommender.report.window import window_text
from recommender.report.wording import as_sentence, money_text, utc
from recommender.sentences import duration, percent

if TYPE_CHECKING:
    from jinja2 import Template

    from recommender.report.model import Report
    from recommender.report.options import RenderOptions


def render_page(report: Report, options: RenderOptions | None = None) -> str:
    """Return the complete page, all items shown, most urgent first as the items come."""
    style, script = _asset("report.css"), _asset("report.js")
    groups = by_workload(report.items)
    return _template().render(
        report=report,
        meta=report.meta,
        totals=report.meta.totals,
        rows=[page_row(group, number) for number, group in enumerate(groups, 1)],
        overview=namespace_rows(groups),
        namespaces=sorted({group.identity.namespace for group in groups}),
        pools=sorted({group.identity.pool for group in groups if group.identity.pool}),
        tiles=_tiles(report),
        data=_embeddable(compact_json(report)),
        style=style,
        script=script,
        policy=security_policy(),
        live=options.live if options is not None else "",
    )


def security_policy() -> str:
    """Return the content security policy of the page, for whoever serves it over HTTP."""
    return (
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(_asset('report.css'))}'; script-src '{_hash(_asset('report.js'))}'"
    )


def _tiles(report: Report) -> list[Mapping[str, object]]:
    meanings = {
        "CRITICAL": "work fails or waits",
        "WARNING": "too little, or idle",
        "SAVING": "more than needed",
        "UNKNOWN": "too little is known",
        "UNSET": "nothing to compare with",
        "OK": "fits",
    }
    counts = report.meta.totals.severities
    return [
        {"name": name, "count": counts.get(name, 0), "meaning": meaning}
        for name, meaning in meanings.items()
    ]


def _embeddable(text: str) -> Any:
    """Make JSON safe inside ``<script>``: nothing in it can end the element or open a comment."""
    from markupsafe import Markup

    safe = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return Markup(safe)  # noqa: S704  every "<" is escaped above


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


@cache
def _asset(name: str) -> str:
    from markupsafe import Markup

    text = files("recommender.report").joinpath("templates", name).read_text(encoding="utf-8")
    return Markup("\n" + text)  # noqa: S704  a file of this package


@cache
def _template() -> Template:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("recommender.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )
    environment.filters |= {
        "utc": utc,
        "percent": percent,
        "duration": duration,
        "money": money_text,
        "window": window_text,
        "as_sentence": as_sentence,
        "arrows": lambda text: text.replace("->", "\N{RIGHTWARDS ARROW}"),
    }
    return environment.get_template("report.html.j2")
