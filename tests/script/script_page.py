"""The page docs/scripts.md, generated from the tables that scripts are checked against.

Renew it with ``python -m tests.script.script_page``.
"""

from __future__ import annotations

from pathlib import Path

from mockserver.model.fields import Fields
from mockserver.script.expect_fields import EXPECT_FIELDS
from mockserver.script.format import (
    AWAIT_FIELDS,
    EVENT_FIELDS,
    FLOW_FIELDS,
    PAUSE_FIELDS,
    SCRIPT_FIELDS,
    TOGETHER_FIELDS,
    WEBHOOK_FIELDS,
)
from mockserver.script.package_files import load_retry_policies
from mockserver.script.templates import GENERATORS

PAGE = Path(__file__).parents[2] / "docs" / "scripts.md"

OPENING = """\
# The script format, version 1

This page is generated from the tables that scripts are checked against. `mockserver schema` prints the same as JSON
Schema, `mockserver validate FILE` checks a file. Durations are written `250ms`, `2s`, `1m30s`, `2h` or as a number of
seconds, timestamps in ISO 8601. YAML is read as YAML 1.2 does: `on`, `yes`, `12:30` and dates are text.
"""

TEMPLATES = """\
## Templates

`{{ expression }}` in the strings of `data` and `override` is a sandboxed Jinja2 expression over the script's `vars`,
`index` (of the repeat, from 0), `now` (the event's timestamp) and these generators, which give the same values again
for the same `seed`. A string that is one expression keeps the type of its value.
"""


def table(fields: Fields) -> str:
    rows = [f"| `{key}` | {'yes' if field.required else ''} | {field.doc} |" for key, field in fields.items()]
    return "\n".join(["| key | needed | what it is for |", "| --- | --- | --- |", *rows, ""])


def page() -> str:
    """Return the page."""
    sections = {
        "A script": SCRIPT_FIELDS,
        "`webhook`": WEBHOOK_FIELDS,
        "An event step": EVENT_FIELDS,
        "`expect`": EXPECT_FIELDS,
        "Events at the same time": TOGETHER_FIELDS,
        "A pause": PAUSE_FIELDS,
        "Waiting for the application": AWAIT_FIELDS,
        "A flow": FLOW_FIELDS,
    }
    parts = [OPENING]
    parts += [f"## {title}\n\n{table(fields)}" for title, fields in sections.items()]
    parts.append(TEMPLATES + "\n" + "".join(f"- `{text.replace(': ', '`: ', 1)}\n" for text in GENERATORS.values()))
    policies = load_retry_policies().values()
    rows = [f"| `{each.name}` | {each.max_attempts} | {_source(each.source)} |" for each in policies]
    parts.append(
        "## Retry policies\n\n"
        "`mockserver retries` lists them with their waits. At `--speed max` the waits are skipped.\n\n"
        + "\n".join(["| name | attempts | source |", "| --- | ---: | --- |", *rows, ""])
    )
    parts.append("## Faults\n\nSee [the list of faults](faults.md).\n")
    return "\n".join(parts)


def _source(source: str) -> str:
    return f"<{source}>" if source.startswith("http") else source


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
