"""The page docs/scripts.md, generated from the tables that scripts are checked against.

Renew it with ``python -m docs.generate.script_page``.
"""

from __future__ import annotations

from pathlib import Path
from textwrap import wrap

from mockserver.model.fields import Fields
from mockserver.model.retry_policies import POLICY_FIELDS
from mockserver.script.format import (
    AWAIT_FIELDS,
    BODY_FIELDS,
    EFFECT_FIELDS,
    EVENT_FIELDS,
    EXPECT_FIELDS,
    FLOW_FIELDS,
    PAUSE_FIELDS,
    SCRIPT_FIELDS,
    TOGETHER_FIELDS,
    WEBHOOK_FIELDS,
)
from mockserver.script.package_files import load_retry_policies
from mockserver.script.templates import FILTERS, GENERATORS, METHODS_LISTED

PAGE = Path(__file__).parents[2] / "docs" / "scripts.md"

OPENING = """\
# The script format, version 1

This page is generated from the tables that scripts are checked against. `mockserver schema` prints the same as JSON
Schema, `mockserver validate FILE` checks a file. Durations are written `250ms`, `2s`, `1m30s`, `2h` or as a number of
seconds, timestamps in ISO 8601.
"""

LANGUAGES = """\
## YAML and JSON

A script that is JSON is read by the rules of JSON. Anything else is YAML 1.2 with the values of JSON: `on`, `yes`,
`12:30`, `1_000` and dates are text, `017` is the number 17. Anchors and aliases work. What YAML allows beyond that is
refused, with the place and what to write instead:

- tags (`!!str`), merge keys (`<<`), a second document, directives other than `%YAML 1.2`
- keys that are lists or objects, empty keys, aliases as keys, the same key twice in one object
- a tab where indentation may be, also after `- `
- names of anchors with other characters than letters, digits, `-` and `_`
- control characters, U+0085, U+2028, U+2029 and U+FEFF that are not written as escapes
- `.inf` and `.nan`, and whole numbers of more than 64 bits: JSON has none

The [limits](limits.md) of a script: 16 MiB, 250,000 values with aliases written out, 64 levels.
"""

TEMPLATES = """\
## Templates

`{{ expression }}` in the strings of `data` and `override` is an expression in the language of Jinja2 over the script's
`vars`, `index` (of the repeat, from 0), `now` (the event's timestamp) and the generators below, which give the same
values again for the same `seed`. A string that is one expression keeps the type of its value. Each template is rendered
once when the script is read, so a mistake is reported before anything is sent.

An expression reaches nothing but these values. The filters are {filters}; the methods {methods}. A value has at most
1 MiB, the templates of one event handle at most 8 MiB, and an expression has at most 20 brackets within each other.
"""


def table(fields: Fields) -> str:
    """The keys of a mapping, and what each is for."""
    rows = [f"| `{key}` | {'yes' if field.required else ''} | {field.doc} |" for key, field in fields.items()]
    return "\n".join(["| key | needed | what it is for |", "| --- | --- | --- |", *rows, ""])


def page() -> str:
    """Return the page."""
    sections = {
        "A script": SCRIPT_FIELDS,
        "`webhook`": WEBHOOK_FIELDS,
        "An event step": EVENT_FIELDS,
        "`expect`": EXPECT_FIELDS,
        "`expect.body`, unless it is the whole body as text": BODY_FIELDS,
        "`expect.effect`": EFFECT_FIELDS,
        "`retry`, where it is neither a name nor a list of waits": POLICY_FIELDS,
        "Events at the same time": TOGETHER_FIELDS,
        "A pause": PAUSE_FIELDS,
        "Waiting for the application": AWAIT_FIELDS,
        "A flow": FLOW_FIELDS,
    }
    parts = [OPENING]
    parts += [f"## {title}\n\n{table(fields)}" for title, fields in sections.items()]
    parts.append(LANGUAGES)
    words = {"filters": _code(FILTERS), "methods": _code(METHODS_LISTED.split(", "))}
    generators = "".join(f"- `{text.replace(': ', '`: ', 1)}\n" for text in GENERATORS.values())
    parts.append(f"{filled(TEMPLATES, words)}\n\n{generators}")
    policies = load_retry_policies().values()
    rows = [f"| `{each.name}` | {each.max_attempts} | {_source(each.source)} |" for each in policies]
    parts.append(
        "## Retry policies\n\n"
        "`mockserver retries` lists them with their waits. At `--speed max` the waits are skipped.\n\n"
        + "\n".join(["| name | attempts | source |", "| --- | ---: | --- |", *rows, ""])
    )
    parts.append("## Faults\n\nSee [the list of faults](faults.md).\n")
    return "\n".join(parts)


def filled(text: str, words: dict[str, str]) -> str:
    """Return a text with words put in, wrapped."""
    for name, listed in words.items():
        text = text.replace(f"{{{name}}}", listed)
    return "\n\n".join("\n".join(wrap(part, 120)) if len(part) > 120 else part for part in text.split("\n\n"))


def _code(words: list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _source(source: str) -> str:
    return f"<{source}>" if source.startswith("http") else source


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
