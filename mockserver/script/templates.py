"""Templates: ``{{ expression }}`` in the strings of a script's data.

An expression is Jinja2's, in its sandbox, over the script's ``vars``, ``index`` (of the repeat, from 0), ``now`` (the
event's timestamp) and the generators below. A string that is one expression keeps the type of its value. Names are
checked when a script is read, so an unknown one is an error before anything is sent. Only ``{{ }}`` is special:
``{%`` and ``{#`` are ordinary text.

Jinja2 is imported when a script has a template in it, and not before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache, cached_property, lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.model.identifiers import new_identifier
from mockserver.model.suggestions import did_you_mean

if TYPE_CHECKING:
    from jinja2 import Environment

_SIMPLE = re.compile(r"\{\{ *([A-Za-z_]\w*) *\}\}")
_MARK = "{{"
_LONGEST_TEXT = 1024 * 1024
_WORDS = (  # a list of words reads best as text
    "agent answer asked before claim context customer delivery expected failed faithful final first order policy "
    "promised question refund refused relevant request score second support threshold tool turn twice user "
    "without"
).split()


class TemplateError(ValueError):
    """A template that cannot be used; the message says what is wrong and what is allowed."""


class Moment(msgspec.Struct, frozen=True):
    """What a template may know about the event it is rendered for.

    Args:
        index: Which repeat of its step it is, from 0.
        now: The event's timestamp.
        seed: What makes its generated values its own, and the same ones each time.
        more: Values of the names that the template was given beside the script's ``vars``.
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
    "words": "words(5): so many words of English",
    "number": "number(1, 6): a whole number, both ends included",
    "score": "score(0.4, 0.7): a number with two decimals",
    "choice": 'choice(["a", "b"]): one of a list',
    "uuid": "uuid(): a random UUID, version 4",
}

#: The names that a template knows beside the script's vars.
NAMES = ("index", "now", *GENERATORS)

#: Renders one string or tree, given the names it may use.
_Render = Callable[[Mapping[str, Any]], Any]


class DataTemplate:
    """The data of a step: JSON with templates in its strings.

    Args:
        data: The JSON.
        variables: The script's ``vars``.
        more: Names whose values are known when it is rendered, and not before.

    Raises:
        TemplateError: A template has a syntax error or uses an unknown name.
    """

    def __init__(self, data: Mapping[str, Any], variables: Mapping[str, Any], more: Sequence[str] = ()) -> None:
        self._data = data
        self._variables = variables
        self._render = _compile(data, {**variables, **dict.fromkeys(more)})
        self._draws = self._render is not None and _draws(data)

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

    @property
    def constant(self) -> bool:
        """Whether there is no template in it: every event has the same data."""
        return self._render is None

    def render(self, moment: Moment) -> Mapping[str, Any]:
        """Return the data of one event.

        Raises:
            TemplateError: An expression fails with these values, or its value is not JSON.
        """
        if self._render is None:
            return self._data
        names = {**self._variables, **moment.more, "index": moment.index, "now": moment.now}
        if self._draws:
            names = {**_generators(random.Random(moment.seed)), **names}  # noqa: S311 - repeatable on purpose
        rendered: Mapping[str, Any] = self._render(names)
        return rendered


def _draws(value: Any) -> bool:
    """Whether a template in a value uses chance: seeding it costs as much as everything else."""
    if isinstance(value, str):
        simple = _SIMPLE.fullmatch(value)
        names = (simple[1],) if simple else _parse(value).names if _MARK in value else ()
        return any(name in GENERATORS for name in names)
    children = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return any(map(_draws, children))


def _compile(value: Any, variables: Mapping[str, Any]) -> _Render | None:
    """Return what renders a value, or None for one that has no template in it."""
    if isinstance(value, str):
        return _compile_text(value, variables) if _MARK in value else None
    if isinstance(value, Mapping):
        members = {key: (child, _compile(child, variables)) for key, child in value.items()}
        if not any(render for _, render in members.values()):
            return None
        return lambda names: {key: render(names) if render else child for key, (child, render) in members.items()}
    if isinstance(value, (list, tuple)):
        items = [(child, _compile(child, variables)) for child in value]
        if not any(render for _, render in items):
            return None
        return lambda names: [render(names) if render else child for child, render in items]
    return None


def _compile_text(text: str, variables: Mapping[str, Any]) -> _Render:
    simple = _SIMPLE.fullmatch(text)
    if simple and (simple[1] in variables or simple[1] in ("index", "now")):
        return itemgetter(simple[1])
    expression = _parse(text)
    allowed = (*variables, *NAMES)
    for name in expression.names:
        if name not in allowed:
            hint = did_you_mean(name, allowed)
            known = ", ".join(allowed)
            raise TemplateError(f"{_shown(text)} uses the unknown name {name!r}; known are {known}{hint}")
    return expression.render


class _Expression:
    """A string with templates in it, parsed; compiled when it is first rendered."""

    def __init__(self, text: str) -> None:
        from jinja2 import TemplateSyntaxError, nodes  # noqa: PLC0415 - only scripts with templates pay for it

        self._text = text
        try:
            tree = _environment().parse(text)
        except TemplateSyntaxError as error:
            raise TemplateError(f"{_shown(text)} is not a valid template: {error.message}") from None
        for used in tree.find_all(nodes.Filter):
            if used.name not in _FILTERS:
                hint = did_you_mean(used.name, _FILTERS)
                raise TemplateError(f"{_shown(text)}: no filter {used.name!r}; there are {', '.join(_FILTERS)}{hint}")
        for test in tree.find_all(nodes.Test):
            if test.name not in _environment().tests:
                raise TemplateError(f"{_shown(text)}: no test {test.name!r}")
        # An expression binds no names, so each one in it comes from outside.
        self.names = tuple(sorted({name.name for name in tree.find_all(nodes.Name)}))
        output = tree.body[0]
        parts = output.nodes if isinstance(output, nodes.Output) else []
        self._single = len(parts) == 1 and not isinstance(parts[0], nodes.TemplateData)

    def render(self, names: Mapping[str, Any]) -> Any:
        """Return the value; whatever the expression raises becomes an error that names it."""
        try:
            value = self._compiled(names)
        except Exception as error:  # noqa: BLE001 - an expression of the user may raise anything
            raise TemplateError(f"{_shown(self._text)} fails: {str(error) or type(error).__name__}") from None
        if isinstance(value, str) and len(value) > _LONGEST_TEXT:
            raise TemplateError(f"{_shown(self._text)} makes a text of {len(value)} characters; 1048576 are allowed")
        return value

    @cached_property
    def _compiled(self) -> _Render:
        if self._single:
            expression = _environment().compile_expression(_inner(self._text), undefined_to_none=False)
            return lambda names: _json_value(expression(**names))
        template = _environment().from_string(self._text)
        return lambda names: template.render(**names)


@lru_cache(maxsize=4096)
def _parse(text: str) -> _Expression:
    return _Expression(text)


def _inner(text: str) -> str:
    """The expression between the braces, without Jinja2's marks for trimming blanks."""
    inner = text[2:-2]
    inner = inner[1:] if inner[0] in "-+" else inner
    return inner[:-1] if inner[-1] in "-+" else inner


def _json_value(value: Any) -> Any:
    from jinja2 import Undefined  # noqa: PLC0415 - only scripts with templates pay for it

    from mockserver.model.events import check_json  # noqa: PLC0415 - only scripts with templates pay for it

    if isinstance(value, Undefined):
        raise TemplateError("there is no such attribute or item")
    check_json(value, "its value")
    return value


def _shown(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:77] + "...")


# What cannot make a huge text out of a small one.
_FILTERS = (  # a list of words reads best as text
    "abs capitalize default first float int join last length list lower max min reverse round sort string sum "
    "title trim truncate unique upper"
).split()
_METHODS = frozenset(
    (  # a list of words reads best as text
        "capitalize endswith get items keys lower split startswith strip title upper values"
    ).split()
)


@cache
def _environment() -> Environment:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - only scripts with templates pay for it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    class Sandbox(ImmutableSandboxedEnvironment):
        """Jinja2's sandbox, with sizes bounded: an expression must not eat the memory."""

        intercepted_binops = frozenset(("*", "**", "%"))

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            """Allow data, and the methods that cannot blow up."""
            return super().is_safe_attribute(obj, attr, value) and (not callable(value) or attr in _METHODS)

        def wrap_str_format(self, value: Any) -> None:
            """Leave str.format out: a width in it makes a text of any size."""

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            """Compute left operator right, if the result can be of a sane size."""
            texts = (str, bytes, list, tuple)
            if operator == "*" and (isinstance(left, texts) or isinstance(right, texts)):
                count, item = (right, left) if isinstance(left, texts) else (left, right)
                if isinstance(count, int) and count * len(item) > _LONGEST_TEXT:
                    raise TemplateError("the result of * is too large")
            if operator == "**" and (abs(left) > 2**64 or abs(right) > 64):
                raise TemplateError("the numbers of ** are too large")
            if operator == "%" and isinstance(left, str):
                raise TemplateError("% formats no text here: write {{ a }} beside {{ b }}, or use ~")
            return super().call_binop(context, operator, left, right)

    # Block and comment marks that no YAML text can contain: only {{ }} is special.
    environment = Sandbox(
        undefined=StrictUndefined,
        block_start_string="\x00{%",
        block_end_string="%}\x00",
        comment_start_string="\x00{#",
        comment_end_string="#}\x00",
        keep_trailing_newline=True,
        finalize=_as_json_text,
    )
    environment.globals.clear()
    environment.filters = {name: environment.filters[name] for name in _FILTERS}
    return environment


def _as_json_text(value: Any) -> Any:
    """Inside of a longer text, values are spelled as JSON spells them."""
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else "null" if value is None else value
