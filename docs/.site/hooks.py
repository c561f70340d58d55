"""What the site makes of pages that are read beside the code too: its menu, and links to files."""  # noqa: INP001

import posixpath
import re
from pathlib import Path
from typing import Any

LINK = re.compile(r"\[([^\]]+)\]\(([^)\s]+)\)")
HEAD = re.compile(r"^## (.+)$", re.MULTILINE)


def on_config(config: Any) -> Any:
    """Take the menu from the entry page, so that a new page is named in one place."""
    _, *parts = HEAD.split((Path(config.docs_dir) / "index.md").read_text(encoding="utf-8"))
    heads_and_texts = zip(parts[::2], parts[1::2], strict=True)
    config.nav = ["index.md", *({head: pages_of(text)} for head, text in heads_and_texts)]
    return config


def pages_of(text: str) -> list[str]:
    """Return the pages that a part of the entry page names, each once."""
    return list(dict.fromkeys(target for _, target in LINK.findall(text) if "#" not in target))


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Name files outside of the documentation by their path: the site does not have them."""
    folder = posixpath.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        path = posixpath.normpath(posixpath.join(folder, target.partition("#")[0]))
        if not path.startswith("../"):
            return match.group()
        name = path.removeprefix("../")
        return text if name in text else f"{text} (`{name}`)"

    return LINK.sub(link, markdown)
