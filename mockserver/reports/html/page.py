"""The frame of a page: one file without anything from elsewhere, in which text of others can only be text."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from mockserver import __version__

_FOLDER = Path(__file__).parent

#: Characters that cannot be seen, or turn the direction of text.
_UNSEEN = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def visible(text: object) -> str:
    """Return a text in which characters that cannot be seen are spelled out."""
    return _UNSEEN.sub(lambda match: f"\\u{ord(match[0]):04x}", str(text))


def page(template: str, title: str, **values: Any) -> str:
    """Return a whole page.

    Args:
        template: The name of its template.
        title: The title of the page.
        **values: What the template shows; texts are escaped.
    """
    style, script = _read("report.css"), _read("report.js")
    policy = f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; base-uri 'none'"
    return (
        _templates()
        .get_template(template)
        .render(title=title, style=Markup(style), script=Markup(script), policy=policy, version=__version__, **values)  # noqa: S704 - both are files of ours
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


@lru_cache(8)
def _read(name: str) -> str:
    return (_FOLDER / name).read_text("utf-8")


@lru_cache(1)
def _templates() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, finalize=lambda value: visible(value) if type(value) is str else value,
    )  # fmt: skip
    environment.filters["visible"] = visible
    return environment
