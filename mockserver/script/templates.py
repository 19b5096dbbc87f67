"""Templates: ``{{ expression }}`` in the strings of a script's data.

An expression is Jinja2's, over the script's ``vars``, ``index`` (of the repeat, from 0), ``now`` (the event's
timestamp) and the generators below; :mod:`~mockserver.script.expressions` evaluates it. A string that is one expression
keeps the type of its value. Names are checked when a script is read, so an unknown one is an error before anything is
sent. Only ``{{ }}`` is special: ``{%`` and ``{#`` are ordinary text.

Jinja2 is imported when a script has a template in it, and not before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from mockserver.model.events import check_json
from mockserver.model.identifiers import new_identifier
from mockserver.model.wording import did_you_mean
from mockserver.script.expressions import Evaluate, Scope, TemplateError, compiled, parse

_SIMPLE = re.compile(r"\{\{ *([A-Za-z_]\w*) *\}\}")
_MARK = "{{"
_WORDS = (  # a list of words reads best as text
    "agent answer asked before claim context customer delivery expected failed faithful final first order policy "
    "promised question refund refused relevant request score second support threshold tool turn twice user "
    "without"
).split()


class Moment(msgspec.Struct, frozen=True):
    """What a template may know about the event it is rendered for.

    ``index`` is the repeat of its step, from 0; ``seed`` makes its generated values its own, and the same ones each
    time; ``more`` has the values of names beside the script's ``vars``.
    """

    index: int
    now: str
    seed: str
    more: Mapping[str, Any] = {}


def _generators(chance: random.Random) -> dict[str, Callable[..., Any]]:
    def words(count: int) -> str:
        if not 0 <= count <= 10_000:
            raise TemplateError(f"words({count}): from 0 to 10000 words are allowed")
        return " ".join(chance.choices(_WORDS, k=count))

    def uuid() -> str:
        digits = f"{chance.getrandbits(128):032x}"
        variant = "89ab"[int(digits[16], 16) % 4]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"

    return {
        "new_id": lambda prefix: new_identifier(str(prefix), chance),
        "words": words,
        "number": chance.randint,
        "score": lambda low=0.0, high=1.0: round(chance.uniform(low, high), 2),
        "choice": chance.choice,
        "uuid": uuid,
    }


#: The functions that a template may call, and what each returns.
GENERATORS = {
    "new_id": 'new_id("run"): an identifier that looks like the vendor\'s, such as run_kqz017',
    "words": "words(5): five words of English",
    "number": "number(1, 6): a whole number, both ends included",
    "score": "score(0.4, 0.7): a number with two decimals",
    "choice": 'choice(["a", "b"]): one of a list',
    "uuid": "uuid(): a random UUID, version 4",
}

#: The names that a template knows beside the script's vars.
NAMES = ("index", "now", *GENERATORS)

#: The moment for which a template is rendered when its script is read.
FIRST = Moment(0, "2024-12-16T10:00:00Z", "0")


class DataTemplate:
    """The data of a step: JSON with templates in its strings, over the script's ``vars``.

    The values of the names in ``more`` are known when it is rendered, and not before. Raises a TemplateError for a
    syntax error or an unknown name.
    """

    def __init__(self, data: Mapping[str, Any], variables: Mapping[str, Any], more: Sequence[str] = ()) -> None:
        self._data = data
        self._variables = variables
        names: set[str] = set()
        self._render = _compile(data, tuple(dict.fromkeys((*variables, *more))), names) if data else None
        self._draws = not names.isdisjoint(GENERATORS)
        self._waits_for_more = not names.isdisjoint(more)

    @classmethod
    def literal(cls, data: Mapping[str, Any]) -> DataTemplate:
        """Return a template of data in which nothing is special, not even ``{{``."""
        template = cls({}, {})
        template._data = data
        return template

    @property
    def source(self) -> Mapping[str, Any]:
        """The data as written, templates not rendered."""
        return self._data

    def with_value(self, key: str, value: Any) -> DataTemplate:
        """Return the same data with another value, which is no template, for one key."""
        data = {**self._data, key: value}
        return self.literal(data) if self.constant else DataTemplate(data, self._variables)

    @property
    def constant(self) -> bool:
        """Whether there is no template in it: every event has the same data."""
        return self._render is None

    def render(self, moment: Moment) -> Mapping[str, Any]:
        """Return the data of one event.

        Raises a TemplateError if an expression fails with these values, or its value is not JSON.
        """
        if self._render is None:
            return self._data
        names = {**self._variables, **moment.more, "index": moment.index, "now": moment.now}
        if self._draws:
            names = {**_generators(random.Random(moment.seed)), **names}  # noqa: S311 - repeatable on purpose
        rendered: Mapping[str, Any] = self._render(Scope(names))
        return rendered

    def try_out(self) -> None:
        """Render it once, so that what can never work is found, as a TemplateError, when the script is read."""
        if not self._waits_for_more:
            self.render(FIRST)


def _compile(value: Any, allowed: Sequence[str], used: set[str]) -> Evaluate | None:
    """Return what renders a value, or None for one that has no template in it; add the names it uses to ``used``."""
    if isinstance(value, str):
        return _compile_text(value, allowed, used) if _MARK in value else None
    if value is None or isinstance(value, (int, float)):  # asking for a Mapping takes long
        return None
    if isinstance(value, (dict, Mapping)):  # dict alone is known at once
        members = {key: (child, _compile(child, allowed, used)) for key, child in value.items()}
        if not any(render for _, render in members.values()):
            return None
        return lambda scope: {key: render(scope) if render else child for key, (child, render) in members.items()}
    if isinstance(value, (list, tuple)):
        items = [(child, _compile(child, allowed, used)) for child in value]
        if not any(render for _, render in items):
            return None
        return lambda scope: [render(scope) if render else child for child, render in items]
    return None


def _compile_text(text: str, variables: Sequence[str], used: set[str]) -> Evaluate:
    simple = _SIMPLE.fullmatch(text)
    if simple and (simple[1] in variables or simple[1] in ("index", "now")):
        name = simple[1]
        used.add(name)
        return lambda scope: scope.spend(scope.names[name])
    template = _text(text)
    allowed = (*variables, *NAMES)
    for name in template.names:
        if name not in allowed:
            hint = did_you_mean(name, allowed)
            known = ", ".join(allowed)
            raise TemplateError(f"{_shown(text)} uses the unknown name {name!r}; known are {known}{hint}")
    used.update(template.names)
    return template.render


class _TextTemplate:
    """A string with templates in it."""

    def __init__(self, text: str) -> None:
        from jinja2 import nodes  # noqa: PLC0415 - only scripts with templates pay for it

        self._text = text
        try:
            parts = parse(text)
            self._parts = [part if isinstance(part, str) else compiled(part) for part in parts]
        except TemplateError as error:
            raise TemplateError(f"{_shown(text)} {error}") from None
        # An expression binds no names, so each one in it comes from outside.
        expressions = [nodes.Output([part]) for part in parts if not isinstance(part, str)]
        self.names = tuple(sorted({each.name for part in expressions for each in part.find_all(nodes.Name)}))

    def render(self, scope: Scope) -> Any:
        """Return the value; whatever an expression raises becomes an error that names it."""
        try:
            values = [part if isinstance(part, str) else part(scope) for part in self._parts]
            if len(values) == 1:
                return scope.spend(_json_value(values[0]))
            return scope.spend("".join([_spelled(scope.spend(value)) for value in values]))
        except Exception as error:  # noqa: BLE001 - an expression of the user may raise anything
            raise TemplateError(f"{_shown(self._text)} fails: {str(error) or type(error).__name__}") from None


def _text(text: str) -> _TextTemplate:
    return _known(text) if len(text) <= _LONGEST_KNOWN else _TextTemplate(text)


#: Longer texts are not remembered: they would fill the memory.
_LONGEST_KNOWN = 200


@lru_cache(maxsize=1024)
def _known(text: str) -> _TextTemplate:
    return _TextTemplate(text)


def _json_value(value: Any) -> Any:
    from jinja2 import Undefined  # noqa: PLC0415 - only scripts with templates pay for it

    if isinstance(value, Undefined):
        raise TemplateError("there is no such key or item")
    check_json(value, "its value")
    return value


def _spelled(value: Any) -> str:
    """Return a value as JSON spells it, for inside of a longer text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return "null" if value is None else str(value)


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")
