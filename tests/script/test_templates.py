"""Templates: sandboxed expressions that keep their type, with errors before anything is sent."""

import re
import uuid

import pytest

from mockserver.script.templates import DataTemplate, Moment, TemplateError

NAMES = {"run": "run_1", "n": 3, "flag": True, "items": ["a", "b"], "obj": {"key": [1]}, "none_": None}
MOMENT = Moment(2, "2024-12-16T10:00:00Z", "7/1/2")


def rendered(text, moment=MOMENT):
    return DataTemplate({"value": text}, NAMES).render(moment)["value"]


@pytest.mark.parametrize(
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
    ],
)
def test_expressions(text, value):
    """A string that is one expression keeps the type of its value; in a longer text, values are spelled as in JSON."""
    assert rendered(text) == value
    assert type(rendered(text)) is type(value)


def test_templates_work_anywhere_in_the_data():
    """Nested objects and lists are rendered, and what has no template stays the same object."""
    data = {"a": {"b": ["{{ n }}", 1, {"c": "{{ run }}"}]}, "plain": [1]}
    assert DataTemplate(data, NAMES).render(MOMENT) == {"a": {"b": [3, 1, {"c": "run_1"}]}, "plain": [1]}
    assert DataTemplate({"plain": [1]}, NAMES).render(MOMENT) == {"plain": [1]}


def test_literal_data_is_sent_as_it_is():
    """What comes from Python is no template."""
    assert DataTemplate.literal({"prompt": "{{ user }}"}).render(MOMENT) == {"prompt": "{{ user }}"}


def test_generators_look_like_the_vendors_values():
    """Ids have the documented look, numbers are in their range, UUIDs are version 4."""
    assert re.fullmatch(r"run_[a-z]{3}\d{3}", rendered("{{ new_id('run') }}"))
    assert len(rendered("{{ words(5) }}").split()) == 5
    assert rendered("{{ number(1, 6) }}") in range(1, 7)
    assert 0.4 <= rendered("{{ score(0.4, 0.7) }}") <= 0.7
    assert rendered("{{ choice(items) }}") in "ab"
    assert uuid.UUID(rendered("{{ uuid() }}")).version == 4


def test_generated_values_repeat_with_their_seed_and_only_then():
    """The same event gets the same values again, another event others."""
    text = "{{ uuid() }} {{ new_id('run') }}"
    assert rendered(text) == rendered(text)
    assert rendered(text) != rendered(text, Moment(3, MOMENT.now, "7/1/3"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ rnu }}", "'{{ rnu }}' uses the unknown name 'rnu'; known are run, n, .*; did you mean 'run'?"),
        ("x {{ nope }}", "unknown name 'nope'"),
        ("{{ range(3) }}", "unknown name 'range'"),
        ("{{ n", "not a valid template"),
        ("{{}}", "not a valid template"),
        ("{{ n | uper }}", "no filter 'uper'; there are .*; did you mean 'upper'?"),
        ("{{ n | center(9) }}", "no filter 'center'"),
        ("{{ n is wrong }}", "no test 'wrong'"),
    ],
)
def test_errors_that_are_found_when_the_script_is_read(text, message):
    """Unknown names and wrong syntax are errors before anything is rendered."""
    with pytest.raises(TemplateError, match=message.replace("{", r"\{").replace("?", r"\?").replace("|", r"\|")):
        DataTemplate({"value": [text]}, NAMES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ 1 / (index - 2) }}", "zero"),
        ("{{ n.x }}", "no such attribute"),
        ("{{ obj['x'] }}", "no such attribute"),
        ("{{ n.x }} text", "no attribute"),
        ("{{ new_id }}", "a function, which is not JSON"),
        ("{{ 1e308 * 10 }}", "JSON cannot hold"),
        ("{{ 'x' * 10000000000 }}", "too large"),
        ("{{ 10000000000 * [1] }}", "too large"),
        ("{{ 2 ** 9999999 }}", "too large"),
        ("{{ 10 ** 30 }}", "64 bits"),
        ("{{ '%9999999999d' % 1 }}", "formats no text"),
        ("{{ '{:>9999999999}'.format(1) }}", "unsafe"),
        ("{{ run.replace('r', 'x') }}", "unsafe"),
        ("{{ ''.__class__.__mro__ }}", "no such attribute|unsafe"),
        ("{{ words(99999999) }}", "10000"),
        ("{{ ('x' * 1000000) ~ ('y' * 1000000) }}", "1048576 are allowed"),
        ("{{ choice([]) }}", "fails"),
    ],
)
def test_errors_that_depend_on_values(text, message):
    """Whatever an expression does, the error names it, and neither memory nor the interpreter suffers."""
    with pytest.raises(TemplateError, match=message):
        rendered(text)
