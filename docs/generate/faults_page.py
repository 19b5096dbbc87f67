"""The page docs/faults.md, made from the registry.

Renew it with ``python -m docs.generate.faults_page``.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from mockserver.faults.fault import Fault, Layer, Parameter
from mockserver.faults.registry import FAULTS, SLOTS

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"

_LAYERS: dict[Layer, str] = {
    "signature": (
        "A consumer must refuse each of these (4xx), and nothing may come of it; a step that has one expects so unless"
        " it says otherwise."
    ),
    "body": (
        "The signature is right for all of these but `tampered_body`, which a consumer must refuse (4xx). The respelled"
        " ones (`sorted_keys` to `trailing_newline`) mean the same as the ordinary payload: a consumer that refuses"
        " them verifies something other than the raw body."
    ),
    "transport": (
        "The signature is right, and what is sent means the same; only how it travels is unusual. Pauses take real"
        " time at any speed, and a time-out holds. A request that ends with the connection gets no answer: its attempt"
        " failed with the error `closed`."
    ),
    "delivery": "What is sent is correct; how often, when or in which order it comes is not.",
}

_OPENING = """\
# Faults

<!-- Made from the registry by `python -m docs.generate.faults_page`; what is written here by hand is lost. -->

A fault is one deliberate defect of a delivery. A step of a script names one, or a list of them:

```yaml
steps:
  - event: run.failed
    fault: wrong_secret
  - event: run.failed
    fault: large_body(2MB)          # a parameter; as an object: {large_body: 2MB} or {large_body: {size: 2MB}}
  - event: run.failed
    fault: [slow_body, chunked]     # several, combined
```
"""

_CLOSING = """\
## Combining

Faults of a list are applied together, whatever their order in the list: first those that change the payload, which is
then signed; then those of the signature and the headers; then what changes the body after it was signed; then those of
the transport. These exclude each other:

{slots}
- `lost` and any other fault: what is never sent has no other faults
- `chunked` and `truncated_body`: a body in chunks has no Content-Length that it could fall short of
- `empty_body` and what needs a body to change
- a fault and itself
"""


def faults_page() -> str:
    """Return the page, as Markdown."""
    sections = (f"## {layer.capitalize()}\n\n{_LAYERS[layer]}\n\n{faults_table(layer)}\n" for layer in get_args(Layer))
    return "\n".join([_OPENING, *sections, _CLOSING.format(slots="\n".join(map(_exclusion, SLOTS)))])


def faults_table(layer: Layer) -> str:
    """Return the faults of one layer as a Markdown table."""
    rows = [_row(fault) for fault in FAULTS.values() if fault.layer == layer]
    return "\n".join(["| fault | what it does | parameter |", "| --- | --- | --- |", *rows])


def _row(fault: Fault) -> str:
    return f"| `{fault.name}` | {fault.doc} | {'; '.join(map(describe_parameter, fault.parameters))} |"


def describe_parameter(parameter: Parameter) -> str:
    """Return in one line what a parameter means, its default and what is allowed."""
    default = "" if parameter.default is None else f"by default {parameter.show(parameter.default)}"
    return ", ".join(filter(None, (f"`{parameter.name}`: {parameter.doc}", default, _allowed(parameter))))


def _allowed(parameter: Parameter) -> str:
    low, high = (getattr(parameter.kind, end, None) for end in ("low", "high"))
    return f"from {parameter.show(low)} to {parameter.show(high)}" if high else ""


def _exclusion(slot: str) -> str:
    names = [f"`{fault.name}`" for fault in FAULTS.values() if fault.slot == slot]
    return f"- any two of {', '.join(names)}: {SLOTS[slot]}"


if __name__ == "__main__":
    PAGE.write_text(faults_page(), "utf-8")
