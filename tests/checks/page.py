"""The page of the documentation that lists the checks, made from the registry."""

from __future__ import annotations

from mockserver.checks.model import Check
from mockserver.checks.registry import CHECKS

_OPENING = """\
# Checks

<!-- Made from the registry by `python -m tests.checks.renew_page`; what is written here by hand is lost. -->

`mockserver check URL` finds out what a webhook consumer does wrong, without knowing anything about it. These are the
checks, in the order in which they are made.

- **Severity**: a `must` that is not met fails the check (exit code 1), and so does one that seems not to be met, such
  as forgeries that are answered 2xx where no probe shows what became of them. `--fail-on proven` fails on what is
  proven only, `--fail-on should` also on a `should`: a defect that you may live with. A `note` is good to know.
- **Level**: 0 needs the URL and the secret only. 1 needs a probe as well, which reads a number that grows with each
  event that was handled (`--probe http://localhost:3000/debug/count --probe-json '$.count'`). 2 needs a way to make the
  consumer fail once, too (`--fail-once`, a command or a URL to POST to).
- **Verdict**: *pass*; *fail*, with the delivery that proves it; *warn*, where it is probably wrong and cannot be proved
  from here, such as a 2xx to a forged event without a probe; *inconclusive*, where something else went wrong; *not
  tested*, where something is missing or nothing can be seen from outside.
- **Time**: some seconds. Effects that come later (a queue) are waited for together, once for what must have an effect
  and once for forgeries; `--effect-within` says how long the first may take (by default 3 s). After `--time-limit` (2
  minutes) no further check is begun, and the exit code is 1 if a `must` was left out.
- **Limits**: an answer 429 or 503 to what was accepted before is waited out, and all that follows is sent more slowly;
  the report names the limit. One that goes on ends the run.
- **The consumer** should be one for tests: it handles several hundred made-up events about new objects each time
  (`--seed` repeats a run).

{overview}
"""


def checks_page() -> str:
    """Return the page, as Markdown."""
    return "\n".join([_OPENING.format(overview=checks_table()), *map(_section, CHECKS.values())])


def checks_table() -> str:
    """Return all checks as a Markdown table."""
    rows = [
        f"| [{check.id}](#{_anchor(check)}) | {check.title} | {check.severity} | {check.level} | {check.good} |"
        for check in CHECKS.values()
    ]
    return "\n".join(["| id | check | severity | level | good |", "| --- | --- | --- | --- | --- |", *rows])


def _section(check: Check) -> str:
    facts = [
        f"## {check.id} {check.title}",
        f"{check.why}",
        f"- It sends: {check.sends[0].lower() + check.sends[1:]}",
        f"- Good: {check.good}.",
        f"- To fix it: {check.fix}.",
    ]
    return "{}\n\n{}\n\n{}\n{}\n{}\n".format(*facts)


def _anchor(check: Check) -> str:
    return f"{check.id} {check.title}".lower().replace(" ", "-")
