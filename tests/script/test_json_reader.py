"""Event steps that are plain JSON are read fast, and mean what they mean as YAML."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.script.json_reader import read_plain_json
from mockserver.script.yaml_reader import read_yaml

PLAIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters='\\"'))
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | PLAIN
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(PLAIN, inner), max_leaves=20)


def as_yaml(source):
    """What the reader of YAML makes of it: the value, and whether it has problems."""
    problems = []
    tree = read_yaml(source, problems)
    return None if tree is None else tree.plain(), bool(problems)


@given(st.dictionaries(PLAIN, VALUES), st.sampled_from([None, 0, 2]))
def test_the_values_are_those_of_yaml(value, indent):
    """To the last one, types included: wherever JSON is read fast, YAML reads the same, without a problem."""
    source = json.dumps(value, indent=indent).encode()
    node = read_plain_json(source)
    if node is not None:
        plain, wrong = as_yaml(source)
        assert not wrong
        assert repr(node.plain()) == repr(plain) == repr(value)


@pytest.mark.parametrize(
    "source",
    [
        b'{"event": "run.failed"}',
        '{"event": "run.failed", "override": {"run_id": "{{ new_id(\'run\') }}"}, "repeat": 3, "after": 0.5}',
        b'{\n  "event": "run.failed",\n  "data": {"a": [1, -2.5e3, true, null, {}], "<<": ""}\n}\n',
    ],
)
def test_an_ordinary_step_is_read_fast(source):
    """It is what tests send."""
    node = read_plain_json(source)
    assert node is not None
    assert (node.line, node.column) == (1, 1)
    assert (node.plain(), False) == as_yaml(source)


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b"[]",
        b"event: run.failed",
        b'\n{"a": 1}',
        b'{"a": 1',
        b'{"a": 1} x',
        b'{"a": 1, "a": 2}',
        b'{"a": {"b": 1, "b": 2}}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"a": 18446744073709551616}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b'{"a": "\\ud800"}',
        b'{"a": "b\\n"}',
        b'{"a": "\xc3\xa9"}',
        b'{"a": "\xff"}',
        b'{"a":\t1}',
        b'{"a": "\x7f"}',
        b'{"a": yes}',
        b'{"' + b"k" * 300 + b'": 1}',
        b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}",
        b'{"a": ' + b"[" * 8000 + b"]" * 8000 + b"}",
        b'{"a": "' + b"x" * 20_000 + b'"}',
        '{"a": "\ud800"}',
    ],
)
def test_whatever_is_not_plain_is_left_to_the_reader_of_yaml(source):
    """What has another meaning there, or a problem with a place, is not read here."""
    assert read_plain_json(source) is None


def test_the_deepest_that_is_allowed():
    """The limit is that of YAML."""
    source = b'{"a": ' + b"[" * 63 + b"]" * 63 + b"}"
    node = read_plain_json(source)
    assert node is not None
    assert (node.plain(), False) == as_yaml(source)
