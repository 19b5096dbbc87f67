"""A delivery as code to paste: a curl command, a step of a script, a test for pytest, a test for Node.js.

Each makes the event happen again. Only curl sends the very bytes; the others let the mock sign anew, so that they still
work tomorrow.
"""

from __future__ import annotations

import json
import pprint
import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mockserver.model.expectations import default_status
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.model.signing import SIGNATURE_HEADER, verify

#: How far a snippet may be indented before values are put on lines of their own.
_WIDTH = 100


#: Computes what the signature of a body must be, with the secret from the environment: it is never shown.
_VERIFY = """\
# body.json: the body exactly as it came, byte for byte
printf sha256=; openssl dgst -sha256 -hmac "$PLAYGENT_WEBHOOK_SECRET" -r body.json | cut -d" " -f1
"""


class Snippets(msgspec.Struct, frozen=True):
    """A delivery as code.

    Args:
        curl: A command that sends the same bytes; None where ``no_curl`` says why there is none.
        no_curl: Why there is no command; empty if there is one.
        step: A step of a script, in YAML.
        pytest: A test that uses the fixture.
        node: A test for ``node:test`` that uses the control API.
        verify: A command that computes the signature that the body should have.
    """

    curl: str | None
    no_curl: str
    step: str
    pytest: str
    node: str
    verify: str


class Signature(msgspec.Struct, frozen=True):
    """What was signed, and whether the receiver can verify it.

    Args:
        header: The name of the header.
        value: Its value; None if it was not sent.
        valid: Whether it fits the body and the webhook's secret; None if the secret is not known any more.
    """

    header: str
    value: str | None
    valid: bool | None


class EventChange(msgspec.Struct, frozen=True):
    """How the data of an event differs from its sample: what a script says of it.

    Args:
        override: Values that differ, by dotted path.
        remove: Paths that are missing.
        data: The whole data, where it is not the sample with changes.
    """

    override: Mapping[str, Any] = {}
    remove: Sequence[str] = ()
    data: Any = None

    def options(self) -> dict[str, Any]:
        """The keys of an event step that say the change; none for the sample itself."""
        if self.data is not None:
            return {"data": self.data}
        named = {"override": dict(self.override), "remove": list(self.remove)}
        return {name: value for name, value in named.items() if value}


def change_of(sample: Mapping[str, Any] | None, data: Any) -> EventChange:
    """Return how data differs from the sample of its event."""
    if sample is None or not isinstance(data, dict) or not sample:
        return EventChange(data=data)
    override: dict[str, Any] = {}
    remove: list[str] = []
    if not _compare(sample, data, "", override, remove):
        return EventChange(data=data)
    return EventChange(override, remove)


def _compare(sample: Any, data: Any, path: str, override: dict[str, Any], remove: list[str]) -> bool:
    """Collect the differences; False if there are keys that the sample does not have."""
    for key, value in data.items():
        place = f"{path}.{key}" if path else key
        if key not in sample or "." in key:
            return False
        before = sample[key]
        if isinstance(before, dict) and isinstance(value, dict) and before:
            if not _compare(before, value, place, override, remove):
                return False
        elif value != before or isinstance(value, bool) != isinstance(before, bool):
            override[place] = value
    remove += [f"{path}.{key}" if path else key for key in sample if key not in data]
    return not any("." in key for key in sample)


def signature_of(delivery: Delivery, secret: str | None) -> Signature:
    """Return what was signed in the last attempt, and whether that is right."""
    request = delivery.attempts[-1].request if delivery.attempts else None
    name = SIGNATURE_HEADER.lower()
    value = next((value for key, value in request.headers if key.lower() == name), None) if request else None
    valid = verify(request.body, value, secret) if request and secret else None
    return Signature(SIGNATURE_HEADER, value, valid)


def snippets_of(delivery: Delivery, sample: Mapping[str, Any] | None, curl: str, no_curl: str) -> Snippets:
    """Return a delivery as code."""
    change = change_of(sample, delivery.data)
    expected = _expected(delivery)
    return Snippets(
        curl or None, no_curl, _step(delivery, change, expected), _pytest(delivery, change, expected),
        _node(delivery, change, expected), _VERIFY,
    )  # fmt: skip


def _expected(delivery: Delivery) -> str:
    """What a correct consumer answers, which may not be what this one did."""
    from mockserver.faults.registry import FAULTS  # noqa: PLC0415 - the catalogue is read by those who need code

    faults = [FAULTS[name] for name in delivery.faults if name in FAULTS]
    forged = any(fault.forged for fault in faults) and not any(fault.slot == "ending" for fault in faults)
    return default_status(signature_fault=forged, other_fault=bool(faults) and not forged)[0]


def _fault(delivery: Delivery) -> Any:
    faults = delivery.faults
    return (faults[0] if len(faults) == 1 else list(faults)) if faults else None


def _step(delivery: Delivery, change: EventChange, expected: str) -> str:
    """A step in YAML: values are written as JSON, which YAML reads."""
    lines = [f"- event: {delivery.event.type}"]
    for name, value in change.options().items():
        if isinstance(value, dict) and value:
            lines.append(f"  {name}:")
            lines += [f"    {_yaml(key)}: {_yaml(item)}" for key, item in value.items()]
        else:
            lines.append(f"  {name}: {_yaml(value)}")
    fault = _fault(delivery)
    lines += [f"  fault: {_yaml(fault)}"] if fault else []
    lines += [f"  expect: {{status: {expected}}}"] if expected != "any" else []
    return "\n".join(lines) + "\n"


def _yaml(value: Any) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z_][\w.-]*", value, re.ASCII) and value not in _YAML_WORDS:
        return value
    if isinstance(value, str) and ("{{" in value or "{%" in value):  # a template in a script: say it as a text
        value = value.replace("{{", "{{ '{{' }}").replace("{%", "{{ '{%' }}")
    return json.dumps(value, ensure_ascii=False)


_YAML_WORDS = {"true", "false", "null", "True", "False", "Null", "TRUE", "FALSE", "NULL"}


def _python_arguments(delivery: Delivery, change: EventChange) -> str:
    arguments = [repr(delivery.event.type)]
    arguments += [f"{name}={_python(value)}" for name, value in change.options().items()]
    fault = _fault(delivery)
    arguments += [f"fault={_python(fault)}"] if fault else []
    line = ", ".join(arguments)
    if len(line) + 30 <= _WIDTH and "\n" not in line:
        return line
    inner = ",\n".join(arguments).replace("\n", "\n        ")
    return f"\n        {inner},\n    "


def _python(value: Any) -> str:
    return pprint.pformat(value, width=_WIDTH - 20, sort_dicts=False)


def _test_name(delivery: Delivery) -> str:
    name = re.sub(r"\W+", "_", delivery.event.type, flags=re.ASCII).strip("_").lower()
    return "_".join(["test", name, *delivery.faults])


def _pytest(delivery: Delivery, change: EventChange, expected: str) -> str:
    checks = {
        "2xx": ["assert sent.delivered, sent"],
        "4xx": ["assert sent.response is not None, sent", "assert 400 <= sent.response.status < 500, sent"],
        "any": ["assert sent.attempts, sent  # and what your application must have done, or not"],
    }[expected]
    body = "\n".join(f"    {line}" for line in checks)
    return (
        f"def {_test_name(delivery)}(mockserver):\n"
        "    # add secret=... where your application has one of its own\n"
        f"    mockserver.register({delivery.url!r}, events=[{delivery.event.type!r}])\n"
        f"    sent = mockserver.send({_python_arguments(delivery, change)})\n{body}\n"
    )


def _node(delivery: Delivery, change: EventChange, expected: str) -> str:
    step = {"event": delivery.event.type, **change.options()}
    fault = _fault(delivery)
    step |= {"fault": fault} if fault else {}
    title = " ".join([delivery.event.type, *(f"with {name}" for name in delivery.faults)])
    checks = {
        "2xx": ["assert.ok(sent.delivered, sent.explanation);"],
        "4xx": [
            "const status = sent.deliveries[0].attempts.at(-1).response?.status;",
            "assert.ok(status >= 400 && status < 500, sent.explanation);",
        ],
        "any": ["assert.ok(sent.deliveries.length > 0, sent.explanation);"],
    }[expected]
    encoded = json.dumps(step, ensure_ascii=False, indent=2).replace("\n", "\n    ")
    body = "\n".join(f"  {line}" for line in checks)
    return (
        "import assert from 'node:assert/strict';\n"
        "import test from 'node:test';\n\n"
        "const mock = process.env.MOCKSERVER_URL ?? 'http://127.0.0.1:8484';\n\n"
        f"test({json.dumps(title)}, async () => {{\n"
        "  const answer = await fetch(`${mock}/_mock/events`, {\n"
        "    method: 'POST',\n"
        f"    body: JSON.stringify({encoded}),\n"
        "  });\n"
        f"  const sent = await answer.json();\n{body}\n"
        "});\n"
    )


def hide_in(snippets: Snippets, redactor: Redactor) -> dict[str, Any]:
    """Return snippets as JSON values, without secrets."""
    shown: dict[str, Any] = redactor.value(msgspec.to_builtins(snippets))
    return {**shown, "curl": snippets.curl}
