"""Templates: sandboxed expressions that keep their type, with errors before anything is sent."""

import re
import uuid
from typing import Any

import pytest

from mockserver.script.templates import LARGEST_EVENT, DataTemplate, Moment, TemplateError
from tests.tables import each_row

NAMES = {"run": "run_1", "n": 3, "flag": True, "items": ["a", "b"], "obj": {"key": [1]}, "none_": None}
MOMENT = Moment(2, "2024-12-16T10:00:00Z", "7/1/2")


def rendered(text: str, moment: Moment = MOMENT) -> Any:
    return DataTemplate({"value": text}, NAMES).render(moment)["value"]


@each_row(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("{% if %} {# no #} {", "{% if %} {# no #} {"),
        ("{{ run }}", "run_1"),
        ("{{run}}", "run_1"),
        ("{{ n }}", 3),
        ("{{ flag }}", True),
        ("{{ none_ }}", None),
        ("{{ obj }}", {"key": [1]}),
        ("{{ items[index - 1] }}", "b"),
        ("{{ index + 1 }}", 3),
        ("{{ now }}", "2024-12-16T10:00:00Z"),
        ("{{ -n }}", -3),
        ("{{- n -}}", 3),
        (" {{ n }}", " 3"),
        ("{{ n }}{{ n }}", "33"),
        ("Turn {{ index }} of {{ n }}: {{ flag }}, {{ none_ }}\n", "Turn 2 of 3: true, null\n"),
        ("{{ run | upper }}", "RUN_1"),
        ("{{ run.upper() }}", "RUN_1"),
        ("{{ '}}' }}", "}}"),
        ("{{ {'a': {'b': n}} }}", {"a": {"b": 3}}),
        ("{{ 7 % n }}", 1),
        ("{{ 2 ** n }}", 8),
        ("{{ 'ab' * 2 }}", "abab"),
        ("{{ 2 * [1] }}", [1, 1]),
        ("{{ n is odd }}", True),
        ("{{ 'x' if flag else 'y' }}", "x"),
        ("{{ items | reverse }}", ["b", "a"]),
        ("{{ obj.x | default('y') }}", "y"),
        ("{{ obj.x is defined or not flag }}", False),
        ("{{ 1 < n <= 3 and n in [3] and 'r' in run }}", True),
        ("{{ run[:3] ~ n ~ [1] }}", "run3[1]"),
        ("{{ obj.keys() }}", ["key"]),
        ("{{ obj['key'][0] + items | length }}", 3),
    ],
)
def test_expressions(text: str, value: Any) -> None:
    """A string that is one expression keeps the type of its value; in a longer text, values are spelled as in JSON."""
    assert rendered(text) == value
    assert type(rendered(text)) is type(value)


def test_templates_work_anywhere_in_the_data() -> None:
    """Nested objects and lists are rendered, and what has no template stays the same object."""
    data = {"a": {"b": ["{{ n }}", 1, {"c": "{{ run }}"}]}, "plain": [1]}
    assert DataTemplate(data, NAMES).render(MOMENT) == {"a": {"b": [3, 1, {"c": "run_1"}]}, "plain": [1]}
    assert DataTemplate({"plain": [1]}, NAMES).render(MOMENT) == {"plain": [1]}


def test_literal_data_is_sent_as_it_is() -> None:
    """What comes from Python is no template."""
    assert DataTemplate.literal({"prompt": "{{ user }}"}).render(MOMENT) == {"prompt": "{{ user }}"}


def test_generators_look_like_the_vendors_values() -> None:
    """Ids have the documented look, numbers are in their range, UUIDs are version 4."""
    assert re.fullmatch(r"run_[a-z]{3}\d{3}", rendered("{{ new_id('run') }}"))
    assert len(rendered("{{ words(5) }}").split()) == 5
    assert rendered("{{ number(1, 6) }}") in range(1, 7)
    assert 0.4 <= rendered("{{ score(0.4, 0.7) }}") <= 0.7
    assert rendered("{{ choice(items) }}") in "ab"
    assert uuid.UUID(rendered("{{ uuid() }}")).version == 4


def test_generated_values_repeat_with_their_seed_and_only_then() -> None:
    """The same event gets the same values again, another event others."""
    text = "{{ uuid() }} {{ new_id('run') }}"
    assert rendered(text) == rendered(text)
    assert rendered(text) != rendered(text, Moment(3, MOMENT.now, "7/1/3"))


@each_row(
    ("text", "message"),
    [
        ("{{ rnu }}", "'{{ rnu }}' uses the unknown name 'rnu'; known are run, n, .*; did you mean 'run'?"),
        ("x {{ nope }}", "unknown name 'nope'"),
        ("{{ range(3) }}", "unknown name 'range'"),
        ("{{ n", "not a valid template"),
        ("{{}}", "not a valid template"),
        ("{{ n | uper }}", "unknown filter 'uper'; there are .*; did you mean 'upper'?"),
        ("{{ n | center(9) }}", "unknown filter 'center'"),
        ("{{ n is wrong }}", "unknown test 'wrong'"),
        ("{{ n }}" * 1001, "has more than 1,000 expressions"),
    ],
)
def test_errors_that_are_found_when_the_script_is_read(text: str, message: str) -> None:
    """Unknown names and wrong syntax are errors before anything is rendered."""
    with pytest.raises(TemplateError, match=message.replace("{", r"\{").replace("?", r"\?").replace("|", r"\|")):
        DataTemplate({"value": [text]}, NAMES)


#: What an expression may try, and how the message ends it.
HOSTILE = [
    ("{{ 1 / (index - 2) }}", "zero"),
    ("{{ n.x }}", "no such key"),
    ("{{ obj['x'] }}", "no such key"),
    ("{{ n.x }} text", "no attribute"),
    ("{{ obj.x.y }}", "no attribute"),
    ("{{ new_id }}", "a function, which is not JSON"),
    ("{{ 1e308 * 10 }}", "JSON cannot hold"),
    ("{{ 10 ** 30 }}", "64 bits"),
    ("{{ words(99999999) }}", "10000"),
    ("{{ choice([]) }}", "fails"),
    # more than a value may be
    ("{{ 'x' * 10000000000 }}", "too large"),
    ("{{ 10000000000 * [1] }}", "too large"),
    ("{{ ['x' * 1000000] * 1000 }}", "too large"),
    ("{{ ['x' * 1000000] * 1000 | length }}", "too large"),
    ("{{ ('x' * 524288) ~ ('y' * 524288) ~ 'z' }}", "more than 1048576 characters"),
    ("{{ ('x' * 524288) + ('y' * 524288) }}", r"the result of \+ is too large"),
    ("{{ ['x' * 524288, 'x' * 524288] | join }}", "more than 1048576 characters"),
    ("{{ (['x'] * 10000) | join('y' * 10000) }}", "the result of join is too large"),
    ("{{ [[1] * 1000] * 1000 | sum(start=[]) }}", "adds numbers"),
    ("a" + "{{ 'x' * 1000000 }}" * 20, "too large|handle more"),
    ("{{ " + " ~ ".join(["('x' * 500000) | length"] * 40) + " }}", "handle more"),
    # numbers that take for ever
    ("{{ 2 ** 9999999 }}", "too large"),
    ("{{ 9 ** 64 ** 64 ** 64 }}", "too large"),
    ("{{ " + " * ".join(["(9 ** 64)"] * 20) + " }}", "too large"),
    ("{{ ('9' * 100000) | int }}", "too large"),
    ("{{ 1.5 | round(1000000000, 'floor') }}", "20 digits"),
    # what is behind the values
    ("{{ ''.__class__.__mro__ }}", "no attribute"),
    ("{{ ()['__class__'] }}", "no such key"),
    ("{{ new_id.__globals__ }}", "no such key"),
    ("{{ words.__func__.__code__ }}", "no attribute"),
    ("{{ obj.get.__self__ }}", "no attribute"),
    ("{{ [obj] | sum(attribute='__class__') }}", "fails"),
    ("{{ [obj, n] | sort(attribute='__class__.__mro__') }}", "fails"),
    ("{{ '%9999999999d' % 1 }}", "formats no text"),
    ("{{ '{:>9999999999}'.format(1) }}", "no method 'format'"),
    ("{{ run.replace('r', 'x') }}", "no method 'replace'"),
    ("{{ items.append(1) }}", "no method 'append'"),
    ("{{ obj.update({}) }}", "no method 'update'"),
    ("{{ run() }}", "only the generators"),
    ("{{ number(*items) }}", "in a call"),
]

#: What is not even parsed.
TOO_COMPLEX = [
    "{{ " + "(" * 90 + "1" + ")" * 90 + " }}",
    "{{ " + "[" * 1000 + "]" * 1000 + " }}",
    "{{ " + " + ".join(["1"] * 1200) + " }}",
    "{{ " + "not " * 400 + "1 }}",
    "{{ n" + ".a" * 200 + " }}",
    "{{ " + "-" * 100_000 + "1 }}",
    "{{ " + "(" * 100_000,
]


def test_nothing_that_an_expression_tries_does_harm() -> None:
    """Whatever it does, the error names it, soon; neither memory nor the interpreter suffers."""
    for text, message in HOSTILE:
        with pytest.raises(TemplateError, match=message):
            rendered(text)
    for text in TOO_COMPLEX:
        with pytest.raises(TemplateError, match="too complex"):
            rendered(text)


@pytest.mark.parametrize(
    "text", ["\0{% for i in [1] %}{{ i }}{% endfor %}\0", "{{ run }}\0{# #}\0", "\0{% set a = 1 %}\0{{ n }}"]
)
def test_blocks_cannot_be_opened(text: str) -> None:
    """The marks of Jinja2's statements hold a character that no text with templates may hold."""
    with pytest.raises(TemplateError, match=r"holds U\+0000"):
        rendered(text)


def test_an_event_has_a_largest_size() -> None:
    """Values that are small enough each are counted together, names too."""
    with pytest.raises(TemplateError, match=f"more than {LARGEST_EVENT} characters"):
        DataTemplate({"a": ["{{ big }}"] * 100}, {"big": "x" * 1_000_000}).render(MOMENT)
