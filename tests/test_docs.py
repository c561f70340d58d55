"""The documentation points at things that exist, as pages and as a site."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import typer

from autoscaler.api import condition_reasons
from autoscaler.api.names import AgentEvent, Condition, EventReason, ScalingEvent
from autoscaler.cli.main import app

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"(?:^|`|bin/)tfa ([a-z]+)", re.MULTILINE)
MAKE = re.compile(r"(?:^|`)make ([a-z]+)", re.MULTILINE)


def anchors(page):
    heads = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        assert not anchor or anchor in anchors(target), f"{page.name}: {link}"


def linked_from(page):
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return {(page.parent / link.partition("#")[0]).resolve() for link in links}


def test_every_page_is_found_from_the_first_one():
    entry = ROOT / "docs" / "index.md"
    assert entry in linked_from(ROOT / "README.md")
    index = {entry, *linked_from(entry)}

    assert [page for page in ROOT.glob("docs/**/*.md") if not is_indexed(page, index)] == []


def is_indexed(page, index):
    """Return whether a page, or the list of decisions that names it, is in the index."""
    decisions = ROOT / "docs" / "decisions" / "README.md"
    return page in index or (decisions in index and page in linked_from(decisions))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page):
    commands = set(typer.main.get_command(app).commands)
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = page.read_text(encoding="utf-8")
    assert set(COMMAND.findall(text)) <= commands
    assert set(MAKE.findall(text)) <= targets


def test_trouble_is_found_by_every_condition_and_reason():
    enums = [Condition, EventReason, ScalingEvent, AgentEvent]
    enums += [enum for name, enum in vars(condition_reasons).items() if name.endswith("Reason")]
    page = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    _, by_condition, by_reason = re.split(r"^## By (?:condition|reason)$", page, flags=re.MULTILINE)

    assert [value for value in Condition if f"`{value}`" not in by_condition] == []
    assert [value for enum in enums[1:] for value in enum if f"`{value}`" not in by_reason] == []


class Links(HTMLParser):
    """What a page of the site has to offer, what it points at, and what a browser loads for it."""

    def __init__(self, page):
        super().__init__()
        self.anchors, self.targets, self.loaded = set(), set(), set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        of = dict(attributes)
        self.anchors.add(of.get("id"))
        if tag == "a" and of.get("href"):
            self.targets.add(of["href"])
        elif tag in {"script", "img", "link"}:
            self.loaded.add(of.get("src") or of.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site as ``make docs`` does, and read its pages."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    # Links of the page for an address that does not exist begin with /: it is served anywhere.
    pages = {page: Links(page) for page in folder.rglob("*.html") if page.name != "404.html"}
    assert len(pages) >= len([*ROOT.glob("docs/**/*.md")])
    return pages


def test_links_of_the_site_lead_to_pages_and_anchors_that_exist(site):
    lost = []
    for page, links in site.items():
        for link in links.targets:
            url = urlsplit(link)
            if url.scheme:
                continue
            target = (page.parent / unquote(url.path)).resolve() if url.path else page
            target = target / "index.html" if target.is_dir() else target
            if target not in site or url.fragment not in {"", *site[target].anchors}:
                lost.append(f"{page.name}: {link}")

    assert lost == []


def test_the_site_loads_nothing_from_elsewhere(site):
    loaded = {link for links in site.values() for link in links.loaded}

    assert [link for link in loaded if urlsplit(link).netloc] == []
