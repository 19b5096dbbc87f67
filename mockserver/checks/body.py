"""Checks of the body: its bytes are what is verified, and its content may be unexpected."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from mockserver.checks.context import UNKNOWN_EVENT, CheckContext, Variant, answer_of
from mockserver.checks.experiments import (
    Experiment,
    Trial,
    accepting,
    accepting_all,
    accepting_each,
    enduring,
    judge_effects,
    judge_endured,
    sent,
)
from mockserver.checks.model import Check, Judgement
from mockserver.checks.signature_variants import RAW_BODY
from mockserver.model.records import Event

#: Names that are not ASCII: Latin, beyond the basic plane, and separators that JavaScript once took for line ends.
_NAMES = (("accented letters", "Rückgabe für Zoë"), ("an emoji", "Refund 💸"), ("U+2028 and U+2029", "a\u2028b\u2029c"))
_SIZES = (("99 kB", 99_000), ("101 kB", 101_000), ("1 MB", 1_000_000))

#: Spellings of the same JSON, each signed correctly. The control is the compact one.
_SPELLINGS = (
    Variant("spaces after colons and commas", ("spaced_json",)),
    Variant("indented", ("pretty_json",)),
    Variant("keys in another order", ("sorted_keys",)),
    Variant(r"\u escapes", ("escaped_unicode",)),
    Variant("a line feed at the end", ("trailing_newline",)),
)


def _with_prose(context: CheckContext, event: str, label: str, text: str) -> Iterable[Variant]:
    """An event that says something else where it has prose; none of a type that has none."""
    if set_prose(_data(context, event), text):
        yield Variant(label, event=event, change=lambda data: set_prose(data, text))


def set_prose(value: Any, text: str) -> bool:
    """Change the first text of several words within JSON; False where there is none. Ids and kinds are single words."""
    items: Iterable[tuple[Any, Any]] = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in list(items):
        if isinstance(item, str) and " " in item:
            value[key] = text
            return True
        if isinstance(item, (dict, list)) and set_prose(item, text):
            return True
    return False


def _names(context: CheckContext, event: str) -> Iterable[Variant]:
    for label, name in _NAMES:
        yield from _with_prose(context, event, label, name)


def _respelled(context: CheckContext) -> list[Variant]:
    each = [msgspec.structs.replace(one, event=event) for event in context.events_in_question for one in _SPELLINGS]
    return [*each, *_with_number(context)]


def _with_number(context: CheckContext) -> list[Variant]:
    """A number that changes its spelling when it is parsed and written again; none where no event has a number."""
    for event in context.events_in_question:
        if _set_number(_data(context, event), 1.0):
            return [Variant("1.0 for 1", event=event, change=lambda data: _set_number(data, 1.0))]
    return []


def _set_number(value: Any, number: float) -> bool:
    """Change the first number within an object; False where there is none."""
    for key, item in value.items() if isinstance(value, dict) else ():
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            value[key] = number
            return True
        if _set_number(item, number):
            return True
    return False


def _cause(refused: set[str]) -> str:
    """What the refused spellings show of the mistake."""
    if refused == {"a line feed at the end"}:
        return "whitespace at the ends is stripped before the signature is computed"
    if "keys in another order" not in refused and len(refused) > 1:
        return "a body that was parsed and written again is verified, not the raw one"
    if "keys in another order" in refused and len(refused) > 2:
        return "a body that was parsed and written again, with its keys in an order of its own, is verified"
    return "something other than the raw body is verified"


async def _send_split(context: CheckContext) -> Trial:
    event = context.events_in_question[0]
    whole = list(_with_prose(context, event, "outside ASCII in one piece (PG031)", "é💸 " * 60))
    plain = _with_prose(context, event, "in chunks (PG050)", "x " * 300)
    pieces = ({"chunked": 50},)
    variants = [*whole, *(msgspec.structs.replace(one, faults=pieces) for one in plain)]
    variants += [msgspec.structs.replace(one, label="cut within characters", faults=pieces) for one in whole]
    return await sent(context, variants)


async def _judge_split(context: CheckContext, trial: Trial, change: float | None) -> Judgement:
    if not trial.made:
        return Judgement("not tested", f"{context.events_in_question[0]} has no text")
    *before, cut = trial.made
    for variant, delivery in before:
        if not delivery.delivered:
            return Judgement("not tested", f"text {variant.label} {answer_of(delivery)} already", (delivery,))
    return await judge_effects(context, Trial([cut], trial.expected), change)


async def _null_fields(context: CheckContext) -> Judgement:
    variants = [
        Variant(f"{event} with {field} null", event=event, change=_null(field))
        for event in context.events
        for field in _optional_fields(context, event)
    ]
    made = await context.deliver_all(variants)
    return (
        judge_endured([[each] for each in made])
        if made
        else Judgement("not tested", "none of the consumer's events has a field besides its id")
    )


def _optional_fields(context: CheckContext, event: str) -> list[str]:
    return [field for field in _data(context, event) if field != context.object_field(event)]


def _data(context: CheckContext, event: str) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.json.decode(context.event(event).payload)["data"]
    return data


def _null(field: str) -> Any:
    def change(data: dict[str, Any]) -> None:
        data[field] = None

    return change


async def _permanent_errors(context: CheckContext) -> Judgement:
    event = context.event()
    return await enduring(
        Variant("invalid JSON", ("invalid_json",)),
        Variant("no body", ("empty_body",)),
        Variant("not UTF-8", ("not_utf8",)),
        Variant("a list", raw=b"[]"),
        Variant("a number", raw=b"1"),
        Variant("null", raw=b"null"),
        Variant("an empty object", raw=b"{}"),
        Variant("data null", raw=_with_data(event, None)),
        Variant("data a text", raw=_with_data(event, "text")),
        Variant("the id missing", ("missing_field",)),
        Variant("the id a number", ("wrong_type",)),
        Variant("the timestamp missing", ({"missing_field": "timestamp"},)),
        times=3,
    )(context)


def _with_data(event: Event, data: Any) -> bytes:
    return msgspec.json.encode({"event": event.type, "timestamp": event.timestamp, "data": data})


def _sizes(context: CheckContext, event: str) -> Iterable[Variant]:
    """A long text in a field that is there anyway: a field more would be another difference."""
    without = len(context.event(event, change=lambda data: set_prose(data, "")).payload)
    for label, size in _SIZES:
        yield from _with_prose(context, event, label, "x" * (size - without))


async def _unknown_event_type(context: CheckContext) -> Judgement:
    delivery = await context.deliver(context.event(UNKNOWN_EVENT))
    summary = f"an event {UNKNOWN_EVENT} {answer_of(delivery)}"
    return Judgement("pass" if delivery.delivered else "fail", summary, (delivery,))


BODY_CHECKS = (
    Check(
        id="PG030",
        name="respelled_json",
        severity="must",
        sends="The same event in other spellings of JSON, each signed correctly.",
        good="2xx for all",
        why="The signature covers the raw body. A consumer that parses the body and verifies what its own library"
        " writes out again works only until the vendor writes a space, a number or a letter differently.",
        fix=RAW_BODY,
        procedure=accepting_all(_respelled, _cause),
    ),
    Check(
        id="PG031",
        name="non_ascii_text",
        severity="must",
        sends="Events with accented letters, an emoji, and U+2028, as raw UTF-8.",
        good="2xx for all",
        why="A body that is decoded with the wrong charset, or as ASCII, before it is verified works until the"
        " first non-English name arrives.",
        fix=RAW_BODY,
        procedure=accepting_each(_names),
    ),
    Check(
        id="PG032",
        name="content_type_parameters",
        severity="should",
        sends="A valid event as `application/json; charset=utf-8`.",
        good="2xx",
        why="The vendor does not document the Content-Type of its deliveries. It may have parameters (RFC 9110,"
        " 8.3), and comparing the whole header refuses them.",
        fix="compare only the media type, or ignore it: the signature proves where the event comes from",
        procedure=accepting(Variant("a charset", ({"wrong_content_type": "application/json; charset=utf-8"},))),
    ),
    Check(
        id="PG033",
        name="split_characters",
        severity="must",
        sends="A valid event with non-ASCII text, whose body comes in many chunks that split characters.",
        good="2xx",
        why="`body += chunk` in Node.js decodes each piece on its own: a character split in two becomes two"
        " replacement characters, and the text no longer matches the signature. It never happens locally.",
        fix="collect the pieces as bytes, and decode them together: `Buffer.concat(chunks)`",
        procedure=Experiment(_send_split, _judge_split),
    ),
    Check(
        id="PG040",
        name="unknown_event_type",
        severity="should",
        sends="A valid, signed event of a type that the vendor does not have.",
        good="2xx, and no effect",
        why="Vendors add event types. A consumer that answers them with an error gets retries, and in the end its"
        " webhook is disabled.",
        fix="answer 2xx to unknown event types, and do nothing",
        procedure=_unknown_event_type,
    ),
    Check(
        id="PG041",
        name="extra_fields",
        severity="must",
        sends="A valid event with undocumented fields, beside `data` and in it.",
        good="2xx",
        why="Vendors add fields without notice, as that does not count as a breaking change. A strict schema turns"
        " it into one.",
        fix="ignore unknown fields (in pydantic: not `extra='forbid'`)",
        procedure=accepting_each(
            lambda _, event: [Variant("fields that are not documented", ("extra_fields",), event)]
        ),
    ),
    Check(
        id="PG042",
        name="null_fields",
        severity="should",
        sends="For each field except the id, an event in which it is null.",
        good="2xx or a 4xx, never 5xx",
        why="The vendor documents no field as always present. One null must not become a crash that is retried.",
        fix="treat every field except the id as optional",
        procedure=_null_fields,
    ),
    Check(
        id="PG043",
        name="permanent_errors",
        severity="should",
        sends="Signed bodies that are not events (invalid JSON, other shapes, no id), three times each.",
        good="the same 4xx or 2xx each time, never 5xx",
        why="A 5xx means: try again. A broken body never gets better, so the retries are in vain, and the sender"
        " counts the webhook as broken.",
        fix="catch errors of parsing and validation, and answer 400",
        procedure=_permanent_errors,
    ),
    Check(
        id="PG044",
        name="deep_nesting",
        severity="should",
        sends="A signed event with 10,000 lists within lists.",
        good="2xx or a 4xx, never 5xx",
        why="Recursive parsers run out of stack: in Python that is a RecursionError, which is not a ValueError and"
        " gets past the usual `except`.",
        fix="catch RecursionError as well as ValueError where JSON is parsed",
        procedure=enduring(Variant("10,000 levels", ("deep_nesting",))),
    ),
    Check(
        id="PG045",
        name="body_size",
        severity="should",
        sends="Valid events of 99 kB, 101 kB and 1 MB.",
        good="2xx for all",
        why="The vendor documents no limit. 100 kB is the default limit of Express and others: the first long report"
        " is refused.",
        fix="raise the limit of the webhook route to 1 MB or more",
        procedure=accepting_each(_sizes),
    ),
)
