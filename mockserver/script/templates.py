"""Templates: ``{{ expression }}`` in the strings of a script's data.

An expression is over the script's ``vars``, ``index`` (of the repeat, from 0), ``now`` (the event's timestamp) and the
generators below. A string that is one expression keeps the type of its value. Names are checked when a script is read,
so an unknown one is an error before anything is sent. Only ``{{ }}`` is special: ``{%`` and ``{#`` are ordinary text.

Jinja2 parses expressions, and they are evaluated here, over JSON values and nothing else. An expression reaches what it
was given by name, the items of these values, and the filters, methods and generators listed here; no attribute of a
Python object. Whatever it does, it handles a bounded amount of text, so it ends soon. Jinja2 is imported when a script
has a template in it, and not before.
"""

from __future__ import annotations

import operator
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from mockserver.model.events import check_json
from mockserver.model.identifiers import new_identifier
from mockserver.model.wording import cut_short, did_you_mean

if TYPE_CHECKING:
    from jinja2 import nodes
    from jinja2.sandbox import SandboxedEnvironment


#: No value may have more characters and items than this, and no other number more digits than fit in 1024 bits.
LARGEST_VALUE = 1024 * 1024
#: The templates of one event may handle this many characters and items together.
LARGEST_EVENT = 8 * LARGEST_VALUE
_MOST_BITS = 1024
_LARGEST_PLAIN = 1 << 64
_MOST_TOKENS = 500
#: The most expressions in one text.
MOST_EXPRESSIONS = 1_000
_MOST_BRACKETS = 20
_DEEPEST = 40

FILTERS = (  # a list of words reads best as text
    "abs capitalize default first float int join last length list lower max min reverse round sort string sum "
    "title trim truncate unique upper"
).split()
_METHODS: Mapping[type, frozenset[str]] = {
    str: frozenset("capitalize endswith lower split startswith strip title upper".split()),
    dict: frozenset("get items keys values".split()),
}


class TemplateError(ValueError):
    """A template that cannot be used; the message says what is wrong and what is allowed."""


class Scope:
    """What the expressions of one event know by name, and how much they may still handle."""

    __slots__ = ("_left", "names")

    def __init__(self, names: Mapping[str, Any]) -> None:
        self.names = names
        self._left = LARGEST_EVENT

    def spend(self, value: Any) -> Any:
        """Count a value, written out, and return it; raises a TemplateError for more than an event may handle."""
        self._left -= len(value) if isinstance(value, str) and len(value) <= LARGEST_VALUE else size_of(value)
        if self._left < 0:
            raise TemplateError(f"the templates of one event handle more than {LARGEST_EVENT} characters")
        return value


def size_of(value: Any) -> int:
    """Return how many characters and items a value has, written out.

    Raises a TemplateError if it has more than :data:`LARGEST_VALUE`, or is a number of too many digits.
    """
    size = 0
    pending = [value]
    while pending:
        item = pending.pop()
        size += 1
        if isinstance(item, str):
            size += len(item)
        elif isinstance(item, Mapping):
            pending += [*item, *item.values()]
        elif isinstance(item, (list, tuple)):
            if (plain := _size_of_plain(item)) is None:
                pending += item
            else:
                size += plain
        elif isinstance(item, int) and item.bit_length() > _MOST_BITS:
            raise TemplateError("the number is too large: it has more than 300 digits")
        if size + len(pending) > LARGEST_VALUE:
            raise TemplateError(f"the value is too large: it has more than {LARGEST_VALUE} characters")
    return size


def _size_of_plain(items: Sequence[Any]) -> int | None:
    """The size of many items that are all texts, or all small numbers: seen at once, as it takes long one by one."""
    kinds = set(map(type, items)) if len(items) > 8 else set()
    if kinds == {str}:
        return len(items) + sum(map(len, items))
    if kinds == {int} and -_LARGEST_PLAIN < min(items) <= max(items) < _LARGEST_PLAIN:
        return len(items)
    return None


#: Computes the value of an expression.
Evaluate = Callable[[Scope], Any]


def parse(text: str) -> list[str | nodes.Expr]:
    """Return the parts of a text with templates in it: text as it is, and expressions.

    Raises a TemplateError if it is not valid, or too complex.
    """
    from jinja2 import TemplateSyntaxError, nodes  # noqa: PLC0415 - only scripts with templates pay for it

    if "\0" in text:
        raise TemplateError("holds U+0000, which no text with templates may hold")
    try:
        _check_length(text)
        output = environment().parse(text).body[0]
    except TemplateSyntaxError as error:
        raise TemplateError(f"is not a valid template: {error.message}") from None
    except RecursionError:
        raise TemplateError(_TOO_COMPLEX) from None
    parts = output.nodes if isinstance(output, nodes.Output) else []
    if len(text) > _DEEPEST:  # a shorter one has no room for more
        for part in parts:
            _check_depth(part)
    return [part.data if isinstance(part, nodes.TemplateData) else part for part in parts]


_TOO_COMPLEX = "is too complex: use fewer operators, or put values in vars"


def _check_length(text: str) -> None:
    """Refuse what would exhaust the stack of the parser, before it parses."""
    if len(text) < _MOST_TOKENS // 2 and sum(map(text.count, "([{")) <= _MOST_BRACKETS:
        return
    tokens = brackets = expressions = 0
    for _, kind, token in environment().lex(text):
        if kind == "variable_begin":
            tokens = brackets = 0
            expressions += 1
            if expressions > MOST_EXPRESSIONS:
                raise TemplateError(f"has more than {MOST_EXPRESSIONS:,} expressions")
        tokens += kind not in ("whitespace", "data")
        brackets += (token in ("(", "[", "{")) - (token in (")", "]", "}"))
        if tokens > _MOST_TOKENS or brackets > _MOST_BRACKETS:
            raise TemplateError(_TOO_COMPLEX)


def _check_depth(node: nodes.Node) -> None:
    level = [node]
    for _ in range(_DEEPEST):
        level = [child for parent in level for child in parent.iter_child_nodes()]
        if not level:
            return
    raise TemplateError(_TOO_COMPLEX)


def compiled(node: nodes.Node) -> Evaluate:
    """Return what evaluates an expression; raises a TemplateError if it uses what templates do not have."""
    make = _makers().get(type(node))
    if make is None:
        raise TemplateError(f"has a {type(node).__name__.lower()}, which templates do not have")
    return make(node)


@cache
def _makers() -> Mapping[type, Callable[[Any], Evaluate]]:
    from jinja2 import nodes  # noqa: PLC0415 - as in parse

    binary = {
        nodes.Add: _add,
        nodes.Sub: operator.sub,
        nodes.Mul: _multiply,
        nodes.Div: operator.truediv,
        nodes.FloorDiv: operator.floordiv,
        nodes.Mod: _modulo,
        nodes.Pow: _power,
    }
    return {
        nodes.Const: lambda node: _always(node.value),
        nodes.Name: lambda node: _name(node.name),
        nodes.List: lambda node: _sequence(node.items, list),
        nodes.Tuple: lambda node: _sequence(node.items, tuple),
        nodes.Dict: _dict,
        nodes.Getattr: lambda node: _item(node.node, _always(node.attr)),
        nodes.Getitem: _getitem,
        nodes.Call: _call,
        nodes.Filter: _filter,
        nodes.Test: _test,
        nodes.Compare: _compare,
        nodes.Concat: _concat,
        nodes.CondExpr: _conditional,
        nodes.And: lambda node: _and(compiled(node.left), compiled(node.right)),
        nodes.Or: lambda node: _or(compiled(node.left), compiled(node.right)),
        nodes.Not: lambda node: _unary(node, operator.not_),
        nodes.Neg: lambda node: _unary(node, operator.neg),
        nodes.Pos: lambda node: _unary(node, operator.pos),
        **{kind: _binary(compute) for kind, compute in binary.items()},
    }


# --- names, values and what is in them


def _always(value: Any) -> Evaluate:
    return lambda _: value


def _name(name: str) -> Evaluate:
    return lambda scope: scope.names[name]


def _sequence(items: Sequence[Any], make: Callable[[Iterator[Any]], Any]) -> Evaluate:
    parts = [compiled(item) for item in items]
    return lambda scope: make(part(scope) for part in parts)


def _dict(node: Any) -> Evaluate:
    pairs = [(compiled(pair.key), compiled(pair.value)) for pair in node.items]
    return lambda scope: {key(scope): value(scope) for key, value in pairs}


def _item(owner: nodes.Node, key: Evaluate) -> Evaluate:
    of = compiled(owner)

    def evaluate(scope: Scope) -> Any:
        value, wanted = of(scope), key(scope)
        try:
            return value[wanted]
        except (LookupError, TypeError):
            return environment().undefined(obj=value, name=wanted)

    return evaluate


def _getitem(node: Any) -> Evaluate:
    from jinja2 import nodes  # noqa: PLC0415 - as in parse

    if not isinstance(node.arg, nodes.Slice):
        return _item(node.node, compiled(node.arg))
    of = compiled(node.node)
    bounds = [
        _always(None) if bound is None else compiled(bound) for bound in (node.arg.start, node.arg.stop, node.arg.step)
    ]
    return lambda scope: scope.spend(of(scope)[slice(*(bound(scope) for bound in bounds))])


# --- operators


def _unary(node: Any, compute: Callable[[Any], Any]) -> Evaluate:
    inner = compiled(node.node)
    return lambda scope: compute(inner(scope))


def _binary(compute: Callable[[Any, Any], Any]) -> Callable[[Any], Evaluate]:
    def make(node: Any) -> Evaluate:
        left, right = compiled(node.left), compiled(node.right)
        return lambda scope: scope.spend(compute(left(scope), right(scope)))

    return make


def _add(left: Any, right: Any) -> Any:
    if isinstance(left, (str, list, tuple)) and size_of(left) + size_of(right) > LARGEST_VALUE:
        raise TemplateError("the result of + is too large")
    return left + right


def _multiply(left: Any, right: Any) -> Any:
    count, value = (right, left) if isinstance(left, (str, list, tuple)) else (left, right)
    if isinstance(value, (str, list, tuple)) and isinstance(count, int) and count * size_of(value) > LARGEST_VALUE:
        raise TemplateError("the result of * is too large")
    return left * right


def _modulo(left: Any, right: Any) -> Any:
    if isinstance(left, str):
        raise TemplateError("% formats no text here: write {{ a }} beside {{ b }}, or use ~")
    return left % right


def _power(left: Any, right: Any) -> Any:
    if abs(left) > 2**64 or abs(right) > 64:
        raise TemplateError("the numbers of ** are too large")
    return left**right


def _and(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda scope: left(scope) and right(scope)


def _or(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda scope: left(scope) or right(scope)


def _conditional(node: Any) -> Evaluate:
    test, then = compiled(node.test), compiled(node.expr1)
    otherwise = _always(environment().undefined(name="else")) if node.expr2 is None else compiled(node.expr2)
    return lambda scope: then(scope) if test(scope) else otherwise(scope)


_COMPARISONS: Mapping[str, Callable[[Any, Any], Any]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "lteq": operator.le, "gt": operator.gt,
    "gteq": operator.ge, "in": lambda left, right: left in right, "notin": lambda left, right: left not in right,
}  # fmt: skip


def _compare(node: Any) -> Evaluate:
    first = compiled(node.expr)
    others = [(_COMPARISONS[operand.op], compiled(operand.expr)) for operand in node.ops]

    def evaluate(scope: Scope) -> bool:
        left = first(scope)
        for compare, other in others:
            right = other(scope)
            if not compare(left, right):
                return False
            left = right
        return True

    return evaluate


def _concat(node: Any) -> Evaluate:
    parts = [compiled(part) for part in node.nodes]
    return lambda scope: scope.spend("".join([str(scope.spend(part(scope))) for part in parts]))


# --- filters, tests and calls


def _arguments(node: Any) -> Callable[[Scope], tuple[list[Any], dict[str, Any]]]:
    if node.dyn_args is not None or node.dyn_kwargs is not None:
        raise TemplateError("uses * or ** in a call: write the arguments out")
    plain = [compiled(argument) for argument in node.args]
    named = [(argument.key, compiled(argument.value)) for argument in node.kwargs]

    def evaluate(scope: Scope) -> tuple[list[Any], dict[str, Any]]:
        arguments = [scope.spend(argument(scope)) for argument in plain]
        return arguments, {key: scope.spend(argument(scope)) for key, argument in named}

    return evaluate


def _filter(node: Any) -> Evaluate:
    if node.name not in FILTERS:
        hint = did_you_mean(node.name, FILTERS)
        raise TemplateError(f"uses the unknown filter {node.name!r}; there are {', '.join(FILTERS)}{hint}")
    name, inner, arguments = node.name, compiled(node.node), _arguments(node)

    def evaluate(scope: Scope) -> Any:
        value = scope.spend(inner(scope))
        plain, named = arguments(scope)
        _check_filter(name, value, [*plain, *named.values()])
        found = environment().call_filter(name, value, plain, named)
        return scope.spend(list(found) if isinstance(found, Iterator) else found)

    return evaluate


def _check_filter(name: str, value: Any, arguments: Sequence[Any]) -> None:
    """Refuse what would keep a filter busy for long."""
    if name == "sum" and not all(isinstance(each, (int, float, str)) for each in arguments):
        raise TemplateError("sum adds numbers: use join for text")
    if name == "int" and isinstance(value, str) and len(value) > 300:
        raise TemplateError("the number is too large: it has more than 300 digits")
    if name == "join" and arguments and isinstance(value, (str, list, tuple, Mapping)):
        between = len(value) * size_of(arguments[0])
        if between > LARGEST_VALUE:
            raise TemplateError("the result of join is too large")
    if name == "round" and any(isinstance(each, int) and abs(each) > 20 for each in arguments):
        raise TemplateError("round takes from -20 to 20 digits")


def _test(node: Any) -> Evaluate:
    if node.name not in environment().tests:
        raise TemplateError(f"uses the unknown test {node.name!r}")
    name, inner, arguments = node.name, compiled(node.node), _arguments(node)

    def evaluate(scope: Scope) -> Any:
        plain, named = arguments(scope)
        return environment().call_test(name, inner(scope), plain, named)

    return evaluate


def _call(node: Any) -> Evaluate:
    from jinja2 import nodes  # noqa: PLC0415 - as in parse

    arguments = _arguments(node)
    if isinstance(node.node, nodes.Getattr):
        owner, method = compiled(node.node.node), node.node.attr

        def call_method(scope: Scope) -> Any:
            value = owner(scope)
            if method not in _METHODS.get(type(value), ()):
                raise TemplateError(f"there is no method {method!r} here: allowed are {METHODS_LISTED}")
            plain, named = arguments(scope)
            found = getattr(scope.spend(value), method)(*plain, **named)
            return scope.spend(list(found) if type(value) is dict and method != "get" else found)

        return call_method
    function = compiled(node.node)

    def call_function(scope: Scope) -> Any:
        called = function(scope)
        if not callable(called):
            raise TemplateError("only the generators can be called")
        plain, named = arguments(scope)
        return scope.spend(called(*plain, **named))

    return call_function


METHODS_LISTED = ", ".join(sorted(method for methods in _METHODS.values() for method in methods))


@cache
def environment() -> SandboxedEnvironment:
    """Return Jinja2, which parses expressions and has the filters and tests."""
    from jinja2 import StrictUndefined  # noqa: PLC0415 - only scripts with templates pay for it
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    # Block and comment marks that no text with templates can contain: only {{ }} is special.
    jinja2 = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined,
        block_start_string="\x00{%",
        block_end_string="%}\x00",
        comment_start_string="\x00{#",
        comment_end_string="#}\x00",
        keep_trailing_newline=True,
    )
    jinja2.globals.clear()
    return jinja2


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

    Attributes:
        source: The data as written, templates not rendered.
        constant: Whether there is no template in it: every event has the same data.
    """

    def __init__(self, data: Mapping[str, Any], variables: Mapping[str, Any], more: Sequence[str] = ()) -> None:
        self.source = data
        self._variables = variables
        names: set[str] = set()
        self._render = _compile(data, tuple(dict.fromkeys((*variables, *more))), names) if data else None
        self.constant = self._render is None
        self._draws = not names.isdisjoint(GENERATORS)
        self._waits_for_more = not names.isdisjoint(more)

    @classmethod
    def literal(cls, data: Mapping[str, Any]) -> DataTemplate:
        """Return a template of data in which nothing is special, not even ``{{``."""
        template = cls({}, {})
        template.source = data
        return template

    def with_value(self, key: str, value: Any) -> DataTemplate:
        """Return the same data with another value, which is no template, for one key."""
        data = {**self.source, key: value}
        return self.literal(data) if self.constant else DataTemplate(data, self._variables)

    def render(self, moment: Moment) -> Mapping[str, Any]:
        """Return the data of one event.

        Raises a TemplateError if an expression fails with these values, or its value is not JSON.
        """
        if self._render is None:
            return self.source
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
    return repr(cut_short(text))
