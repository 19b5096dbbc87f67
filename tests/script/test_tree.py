"""Reading YAML and JSON: the values of YAML 1.2 and of JSON, and for every hostile file a clear error at its place."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.model.fields import MOST_PROBLEMS, Member, Node, Reading
from mockserver.script.source import MAX_BYTES, MAX_DEPTH, MAX_NODES
from mockserver.script.tree import read_tree
from tests.tables import each_row

#: Both parsers, where PyYAML has both.
PARSERS = [True, False] if yaml.__with_libyaml__ else [False]


def read(source: bytes | str, libyaml: bool = True) -> tuple[Any, ...]:
    reading = Reading([])
    tree = read_tree(source, reading, libyaml=libyaml and yaml.__with_libyaml__)
    return tree, [(problem.line, problem.column, problem.message) for problem in reading.problems]


def same(left: Any, right: Any) -> bool:
    """Whether two values are equal and of the same types: 1, 1.0 and True differ."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


# What a file means: (source, value). The name of a case is its source.
VALUES: list[tuple[Any, Any]] = [
    # null, booleans and what only YAML 1.1 takes for them
    ("[null, Null, NULL, ~, ]", [None, None, None, None]),
    ("a:\nb:\n", {"a": None, "b": None}),
    ("null", None),
    ("[true, True, TRUE, false, False, FALSE]", [True, True, True, False, False, False]),
    ("[on, off, yes, no, On, YES, y, n]", ["on", "off", "yes", "no", "On", "YES", "y", "n"]),
    ("[tRUE, nULL, truth, nullable]", ["tRUE", "nULL", "truth", "nullable"]),
    # integers
    ("[0, 1, -1, +1, 00, -0]", [0, 1, -1, 1, 0, 0]),
    ("[017, 0o17, 0x1F, 0xff, 0o0]", [17, 15, 31, 255, 0]),
    ("[0b1, 1_000, 0o8, 0xG, 0x, -0x1F, 1 000]", ["0b1", "1_000", "0o8", "0xG", "0x", "-0x1F", "1 000"]),
    ("[18446744073709551615, -9223372036854775808]", [2**64 - 1, -(2**63)]),
    ("[0xFFFFFFFFFFFFFFFF, 0o1777777777777777777777]", [2**64 - 1, 2**64 - 1]),
    ("0" * 5000 + "7", 7),
    # floats
    ("[1.5, -1.5, .5, 5., +.5, 1e3, 1E-3, 1.e2]", [1.5, -1.5, 0.5, 5.0, 0.5, 1000.0, 0.001, 100.0]),
    ("[., .., ..., +, -, +-1, 1.2.3, 1e, e1, .e1]", [".", "..", "...", "+", "-", "+-1", "1.2.3", "1e", "e1", ".e1"]),
    ("[1e-999, -0.0]", [0.0, -0.0]),
    ("1." + "0" * 5000, 1.0),
    # what YAML 1.1 makes of text
    ("[12:30, 190:20:30, 1:2]", ["12:30", "190:20:30", "1:2"]),
    ("2024-12-16T10:00:00Z", "2024-12-16T10:00:00Z"),
    ("[2024-12-16, '2024-12-16', 1.2.3, =]", ["2024-12-16", "2024-12-16", "1.2.3", "="]),
    ("[١٢, １]", ["١٢", "１"]),  # noqa: RUF001 - digits that are not ASCII are text
    # quoted and block scalars are text
    ("['1', \"true\", '', \"~\", '.nan']", ["1", "true", "", "~", ".nan"]),
    ("a: |\n  1\nb: >-\n  true\n", {"a": "1\n", "b": "true"}),
    ("a: |2-\n   x\n  y\n", {"a": " x\ny"}),
    ("'it''s'", "it's"),
    (r'"\t\n\x41\u00e9\U0001F600\/\0\e"', "\t\nAé😀/\0\x1b"),
    ('"a\\\n  b\n  c\n\n  d"', "ab c\nd"),
    ("a b\n  c", "a b c"),
    ("a\n\n\n  b", "a\n\nb"),
    ("x\n\n\ty", "x\ny"),
    ("url: http://x/?a=b#c", {"url": "http://x/?a=b#c"}),
    ("{url: http://x/?a=b#c, b: what? yes, c: x?}", {"url": "http://x/?a=b#c", "b": "what? yes", "c": "x?"}),
    # surrogate pairs, which JSON writes for characters beyond U+FFFF
    (r'"\ud83d\ude00"', "😀"),
    (r'{"\uD83D\uDE00": ["x\uffff\ud83d\ude00y", "\\ud83d\\\ud83d\ude00"]}', {"😀": ["x\uffff😀y", "\\ud83d\\😀"]}),
    (r"""['\ud83d', \uDE00\ufFfF, "\uffff"]""", ["\\ud83d", "\\uDE00\\ufFfF", "\uffff"]),
    ("a: | # \\ud83d\n  \\ude00\n  \\uffff\n", {"a": "\\ude00\n\\uffff\n"}),
    ("a: \\ud83d\n  \\ude00", {"a": "\\ud83d \\ude00"}),
    # keys are text, as it is written
    ("{404: a, true: b, ~: c, 1.50: d}", {"404": "a", "true": "b", "~": "c", "1.50": "d"}),
    ("? a\n: 1\n? b\n", {"a": 1, "b": None}),
    ("'<<': 1", {"<<": 1}),
    ("{? : 1}", {"": 1}),
    ("{a, b}", {"a": None, "b": None}),
    ("[a: 1, b]", [{"a": 1}, "b"]),
    # anchors
    ("a: &x {b: 1}\nc: *x\n", {"a": {"b": 1}, "c": {"b": 1}}),
    ("[&a 1, *a, &a 2, *a]", [1, 1, 2, 2]),
    ("[&a [&a x, *a], *a]", [["x", "x"], "x"]),
    ("[&a , *a]", [None, None]),
    ("&k 404: 1\nb: *k", {"404": 1, "b": 404}),
    ("&k \"404\": 1\nb: *k", {"404": 1, "b": "404"}),
    # line ends, byte order mark, tabs where they are allowed, directives
    ("a: 1\r\nb:\r\n  - 2\r\n", {"a": 1, "b": [2]}),
    ("a: 1\rb: 2\r", {"a": 1, "b": 2}),
    (b"\xef\xbb\xbfa: 1", {"a": 1}),
    ("\ufeffa: 1", {"a": 1}),
    ('{\n\t"a":\t1,\t"b": [\t]\n}', {"a": 1, "b": []}),
    ("a:\tb\t# c\n", {"a": "b"}),
    ("a\tb", "a\tb"),
    ('"a\tb\n\tc"', "a\tb c"),
    ("%YAML 1.1\n---\na: on", {"a": "on"}),
    ("%YAML 1.2\n---\na: on\n...\n", {"a": "on"}),
    ("# comment\n\n---\n- 1 # one\n- a#b\n", [1, "a#b"]),
    # what libyaml refuses or misreads
    ("{ ?foo: 1, b: ?x }", {"?foo": 1, "b": "?x"}),
    ("[?x, ? y, :z]", ["?x", {"y": None}, ":z"]),
    ("{x: :x, a:, b::c: d}", {"x": ":x", "a": None, "b::c": "d"}),
    ('{"a":1, "b"\n: é, c\n  d : 2}', {"a": 1, "b": "é", "c d": 2}),
    ("a: 1\n\t\nb: 2\n \t# c\nd: 3", {"a": 1, "b": 2, "d": 3}),
    ("--- >\ntext\nmore\n\nlast\n", "text more\nlast\n"),
    ("foo: |\n  x\n   ", {"foo": "x\n \n"}),
    ("k: >\t\n x", {"k": "x"}),
    ("a: >\n b\n c\n\n  d\n e\n\n\n f\nb: |+\n x\n\n", {"a": "b c\n\n d\ne\n\nf\n", "b": "x\n\n"}),
    ("- |\n \tx\n- >-\n \t\n y\n- |\n", ["\tx\n", "\t\ny", ""]),
    ("a: |\n\n  x\nb: |\n  \n\n  x\n", {"a": "\nx\n", "b": "\n\nx\n"}),
    ("a: |\nb: >\n\n x\n\n\n y\nc: |1\n\n x\n", {"a": "", "b": "\nx\n\ny\n", "c": "\nx\n"}),
    ("a: |\n x\n  \nb: |+\n x\n  \n\n", {"a": "x\n \n", "b": "x\n \n\n"}),
    ("a: |-\n\n\nb: |+\n\n\nc: |\n\n\n", {"a": "", "b": "\n\n", "c": ""}),
    ("a: |\n x\n...\n", {"a": "x\n"}),
    ("['a',:b, \"c\" : d, [e b:f, g]]", ["a", ":b", {"c": "d"}, ["e b:f", "g"]]),
    ("a: b[c], {d}\ne: f\n  %g", {"a": "b[c], {d}", "e": "f %g"}),
    ("# %x\n%YAML 1.2 \nxy\n# %\n", "xy"),
    # JSON is read as JSON
    ('{"' + "a" * 2000 + '": 1}', {"a" * 2000: 1}),
    ('{"a"\n: "\u2028\x7f\ufeff"}', {"a": "\u2028\x7f\ufeff"}),
    ("\t[1,\r\n\t2]", [1, 2]),
    ('{"a": NaN}', {"a": "NaN"}),
    # a list, a number or text at the top are values like others
    ("- a\n- - b\n  - c\n", ["a", ["b", "c"]]),
    ("[]", []),
    ("{}", {}),
    ("''", ""),
    ("é: 日本語 😀", {"é": "日本語 😀"}),
]  # fmt: skip

TAGS = "tags are not supported: write the value plainly (quote it to make it a string)"
TAB = "a tab is not allowed here: YAML is indented with spaces"
NUMBER = "JSON has no number"
NO_KEY = "expected a key with a colon and a space"
COLON = "a colon is not allowed here: quote text"
UNCLOSED = "is never closed"
AFTER = "the file's value ends before this place"
FOLLOW = "cannot follow the value in this line: put quotes around the whole text"
DIRECTIVE = "a line that starts with % is a directive"
BLOCK = "after | or > only + or - and one digit"
KEY = "a key must be text"
EMPTY = "the file is empty"

# Hostile files: (source, [(line, column, what the message says), ...]), and the value if the file is a tree in spite.
NO_TREE = object()
HOSTILE: list[tuple[Any, Any, Any]] = [
    # nothing there
    ("", [(1, 1, EMPTY)], NO_TREE),
    (b"\xef\xbb\xbf", [(1, 1, EMPTY)], NO_TREE),
    (" \n\n", [(1, 1, EMPTY)], NO_TREE),
    ("# only\n# comments\n", [(1, 1, EMPTY)], NO_TREE),
    ("---\n", [(1, 1, EMPTY)], NO_TREE),
    ("%YAML 1.2\n---\n...\n", [(1, 1, EMPTY)], NO_TREE),
    # numbers that JSON or 64 bits cannot hold
    (".inf", [(1, 1, NUMBER)], 0),
    ("a: -.INF", [(1, 4, f"{NUMBER} -.INF")], {"a": 0}),
    ("[.nan, +.Inf, .NaN]", [(1, 2, NUMBER), (1, 8, NUMBER), (1, 15, NUMBER)], [0, 0, 0]),
    ("a: 1e999", [(1, 4, "too large: a JSON number goes up to about 1.8e308")], {"a": 0}),
    ("a: -1e999", [(1, 4, "the number -1e999 is too large")], {"a": 0}),
    ("18446744073709551616", [(1, 1, "does not fit in 64 bits: allowed are -9223372036854775808 to")], 0),
    ("-9223372036854775809", [(1, 1, "the number -9223372036854775809 does not fit in 64 bits")], 0),
    ("0x10000000000000000", [(1, 1, "64 bits")], 0),
    ("0o2000000000000000000000", [(1, 1, "64 bits")], 0),
    ("a: " + "9" * 10_000, [(1, 4, "9" * 30 + "… (10000 characters) does not fit in 64 bits")], {"a": 0}),
    ("a: -" + "9" * 10_000, [(1, 4, "64 bits")], {"a": 0}),
    ("a: 0x" + "f" * 10_000, [(1, 4, "64 bits")], {"a": 0}),
    ("a: " + "9" * 10_000 + ".5", [(1, 4, "(10002 characters) is too large")], {"a": 0}),
    ("&k .inf: 1", [(1, 1, NUMBER)], {".inf": 1}),
    # duplicate keys, merge keys, keys that are not text
    ("a: 1\nb: 2\na: 3\n", [(3, 1, "the key 'a' is here twice: the first one is in line 1")], {"a": 1, "b": 2}),
    ("{a: 1, 'a': 2}", [(1, 8, "the key 'a' is here twice")], {"a": 1}),
    ("{a: 1, a: 2, a: 3}", [(1, 8, "twice"), (1, 14, "twice: the first one is in line 1")], {"a": 1}),
    ('{1: x, "\\x31": y}', [(1, 8, "the key '1' is here twice")], {"1": "x"}),
    ("a: &x {b: 1}\nc:\n  <<: *x\n", [(3, 3, "merge keys (<<) are not part of YAML 1.2")], {"a": {"b": 1}, "c": {}}),
    ("[a, b]: c", [(1, 1, KEY)], {}),
    ("{a: b}: c", [(1, 1, KEY)], {}),
    ("? - a\n: b", [(1, 3, KEY)], {}),
    ("? [a: 1]\n: b\nc: 1", [(1, 3, KEY)], {"c": 1}),
    ("&a a: 1\n*a : 2", [(2, 1, "an alias (*a) cannot be a key")], {"a": 1}),
    ("{[{a: 1}]: b, c: 1}", [(1, 2, KEY)], {"c": 1}),
    (
        "a: {{ run }}",
        [(1, 5, 'put quotes around a template: "{{ name }}"; without them, it is YAML for an object in an object')],
        {"a": {}},
    ),
    # tags
    ("!!python/object/apply:os.system [echo]", [(1, 1, TAGS)], ["echo"]),
    ("a: !!str 1", [(1, 4, TAGS)], {"a": 1}),
    ("a: !x {b: !y 1, !z c: 2}", [(1, 4, TAGS), (1, 11, TAGS), (1, 17, TAGS)], {"a": {"b": 1, "c": 2}}),
    ("- ! 1", [(1, 3, TAGS)], [1]),
    ("- !<tag:yaml.org,2002:int> '1'", [(1, 3, TAGS)], ["1"]),
    ("- !!binary aGVsbG8=\n- !!set {a}", [(1, 3, TAGS), (2, 3, TAGS)], ["aGVsbG8=", {"a": None}]),
    ("a: !e!y b", [(1, 4, TAGS)], NO_TREE),
    ("a: !<x", [(1, 4, TAGS)], NO_TREE),
    ("a: !%zz b", [(1, 4, TAGS)], NO_TREE),
    ("!", [(1, 1, TAGS), (1, 1, EMPTY)], NO_TREE),
    # anchors and aliases
    ("a: *b", [(1, 4, "there is no anchor &b above: put quotes around text that starts with *")], {"a": None}),
    ("a: *b\nb: &b 1", [(1, 4, "there is no anchor &b above")], {"a": None, "b": 1}),
    ("&a [*a]", [(1, 5, "the alias *a is within what it repeats")], [None]),
    ("&a {b: {c: *a}}", [(1, 12, "is within what it repeats")], {"b": {"c": None}}),
    ("a: *", [(1, 4, "* must be followed by a name")], NO_TREE),
    ("a: **bold**", [(1, 4, "* must be followed by a name")], NO_TREE),
    ("a: & b", [(1, 4, "& must be followed by a name")], NO_TREE),
    ("a: &b &c d", [(1, 7, FOLLOW)], NO_TREE),
    ("*" + "a" * 100, [(1, 1, "no anchor &aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa… (100 characters)")], None),
    # documents and directives
    ("a: 1\n---\nb: 2\n", [(2, 1, "a file has one document")], {"a": 1}),
    ("---\na\n---\n!x [\n", [(3, 1, "a file has one document")], "a"),
    ("a: 1\n...\nb: 2\n", [(3, 1, AFTER)], NO_TREE),
    ("%YAML 3.0\n--- a", [(1, 1, DIRECTIVE)], NO_TREE),
    ("%YAML 1.3\n--- a", [(1, 1, DIRECTIVE)], NO_TREE),
    ("%YAML 1." + "1" * 5000 + "\n--- a", [(1, 1, DIRECTIVE)], NO_TREE),
    ("%YAML\n--- a", [(1, 1, DIRECTIVE)], NO_TREE),
    ("%FOO bar\n--- a", [(1, 1, DIRECTIVE)], NO_TREE),
    ("% of all\n", [(1, 1, DIRECTIVE)], NO_TREE),
    ("# c\n%TAG ! a\n--- a", [(2, 1, DIRECTIVE)], NO_TREE),
    ("%YAML 1.2\n%YAML 1.2\n--- a", [(2, 1, DIRECTIVE)], NO_TREE),
    ("a: 1\n...\n%FOO\n---\nb", [(3, 1, DIRECTIVE)], NO_TREE),
    ("a: [\n%b]", [(2, 1, DIRECTIVE)], NO_TREE),
    # encodings and characters
    (b"a: \xff", [(1, 4, "byte 0xff is not UTF-8: save the file as UTF-8")], NO_TREE),
    ("a: 1\r\nbé: ü".encode("latin-1"), [(2, 2, "byte 0xe9 is not UTF-8")], NO_TREE),
    (b"a: \xc3", [(1, 4, "byte 0xc3 is not UTF-8")], NO_TREE),
    (b"a: \xed\xa0\x80", [(1, 4, "byte 0xed is not UTF-8")], NO_TREE),
    ("a: 1".encode("utf-16"), [(0, 0, "written in UTF-16: save it as UTF-8")], NO_TREE),
    (b"\xfe\xff" + "a: 1".encode("utf-16-be"), [(0, 0, "UTF-16")], NO_TREE),
    ("a: 1".encode("utf-32"), [(0, 0, "written in UTF-32")], NO_TREE),
    (b"\0\0\xfe\xff\0\0\0a", [(0, 0, "UTF-32")], NO_TREE),
    ("a: 1".encode("utf-16-le"), [(1, 2, "the character U+0000 is not allowed in a YAML file")], NO_TREE),
    ("a: b\n\0", [(2, 1, "U+0000")], NO_TREE),
    ("a:\rb: \x07", [(2, 4, 'U+0007 is not allowed in a YAML file: remove it, or write it as "\\u0007"')], NO_TREE),
    ("é: '\x7f'", [(1, 5, "U+007F")], NO_TREE),
    ("é: '\x85'", [(1, 5, "U+0085")], NO_TREE),
    ("é: '\u2028'", [(1, 5, "U+2028")], NO_TREE),
    ("é: '\ufffe'", [(1, 5, "U+FFFE")], NO_TREE),
    ("a: 1\n\ufeffb: 2", [(2, 1, "U+FEFF is not allowed")], NO_TREE),
    ("é: '\ud800'", [(1, 5, "U+D800 is not allowed in a YAML file")], NO_TREE),
    # escapes
    (r'a: "\ud800"', [(1, 4, "\\ud800 is half of a character")], {"a": "\ufffd"}),
    (r'"\ude00\ud83d": "\uDC00"', [(1, 1, "\\ude00 is half"), (1, 17, "\\udc00 is half")], {"\ufffd": "\ufffd"}),
    (r'"\ud83d\u0041"', [(1, 1, "\\ud83d is half of a character")], "\ufffd"),
    (r'"\U0000D83D"', [(1, 1, "\\ud83d is half of a character")], "\ufffd"),
    (r'a: "C:\dir"', [(1, 7, "\\d is not an escape: write \\\\ for a backslash, or use single quotes")], NO_TREE),
    (r'a: "\n\d\n"', [(1, 7, "\\d is not an escape")], NO_TREE),
    (r'a: "\n\xZZ\n"', [(1, 7, "\\x is followed by 2 hexadecimal digits")], NO_TREE),
    (r'a: "\n\U00110000\n"', [(1, 7, "\\U is followed by 8 hexadecimal digits")], NO_TREE),
    (r'a: "\xZZ"', [(1, 5, "\\x is followed by 2 hexadecimal digits")], NO_TREE),
    (r'a: "\u12"', [(1, 5, "\\u is followed by 4 hexadecimal digits")], NO_TREE),
    (r'a: "\U00110000"', [(1, 5, "\\U is followed by 8 hexadecimal digits that name a character")], NO_TREE),
    (r'a: "\UFFFFFFFF"', [(1, 5, "\\U is followed by 8 hexadecimal digits")], NO_TREE),
    # tabs
    ("a:\n\tb: 1", [(2, 1, TAB)], NO_TREE),
    ("\ta: 1", [(1, 1, TAB)], NO_TREE),
    ("- a\n\t- b", [(2, 1, TAB)], NO_TREE),
    ("a: b\n\tc", [(2, 1, TAB)], NO_TREE),
    ("-\ta", [(1, 2, TAB)], NO_TREE),
    ("a: |\n\tx", [(2, 1, TAB)], NO_TREE),
    ("a: |\n\t# x", [(2, 1, TAB)], NO_TREE),
    ("a:\n  b: |\n \tx", [(3, 2, TAB)], NO_TREE),
    # brackets and quotes that are not closed
    ("a: [1, 2", [(1, 4, f"this [ {UNCLOSED}: a ] is missing")], NO_TREE),
    ("a: {b: 1,\n  c: {d: 2}\n", [(1, 4, f"this {{ {UNCLOSED}: a }} is missing")], NO_TREE),
    ("a: [1, 2\nb: 3", [(1, 4, f"this [ {UNCLOSED}: a ] is missing")], NO_TREE),
    ("a: [1, 2\nb: 3\nc: 4", [(3, 2, "expected , or ] here, in the list that [ opened at line 1, column 4")], NO_TREE),
    ('{"a": 1, "b": 2, "a": 3}', [(1, 18, "the key 'a' is here twice: the first one is in line 1")], {"a": 1, "b": 2}),
    ('{"a":\n 18446744073709551616}', [(2, 2, "64 bits")], {"a": 0}),
    ('["\\ud800"]', [(1, 2, "half of a character")], ["\ufffd"]),
    ("{a: 'x' 'y'}", [(1, 9, "expected , or } here, in the object that { opened at line 1, column 1")], NO_TREE),
    ("a: [1,\n---\n]", [(2, 1, "expected a value before -")], NO_TREE),
    ("a: \"b\nc: d\n", [(1, 4, f'this text {UNCLOSED}: a " is missing at its end')], NO_TREE),
    ("a: 'b", [(1, 4, f"this text {UNCLOSED}: a ' is missing")], NO_TREE),
    ("a: 'b\n---\nc'", [(2, 1, "a quoted text cannot hold a line with --- or ...")], NO_TREE),
    ("[a]]", [(1, 4, AFTER)], NO_TREE),
    ("[1,,2]", [(1, 4, "expected a value before ,")], NO_TREE),
    ("{a: 1}}", [(1, 7, AFTER)], NO_TREE),
    ("[a", [(1, 1, UNCLOSED)], NO_TREE),
    ("[a,", [(1, 4, "expected a value before the end of the file")], NO_TREE),
    ("['a' !x b]", [(1, 6, "expected , or ] here, in the list that [ opened at line 1, column 1")], NO_TREE),
    ("{a: 1\n  b: 2}", [(2, 4, "opened at line 1, column 1; a key is in one line with its colon")], NO_TREE),
    # colons, dashes and indentation
    ("a: b: c", [(1, 5, COLON)], NO_TREE),
    ("a: 1\n  b: 2", [(2, 4, COLON)], NO_TREE),
    (": a", [(1, 1, "a key is missing before the colon")], NO_TREE),
    ("a: 1\nb\nc: 2", [(2, 1, NO_KEY)], NO_TREE),
    ("a: 1\n" + "b" * 2000 + ": 2", [(2, 1, NO_KEY)], NO_TREE),
    ("a: - b", [(1, 4, "a list item cannot start here: put '- ' on a line of its own")], NO_TREE),
    ("a: ? b", [(1, 4, "'? ' cannot start a key here")], NO_TREE),
    ("- a\nb: 1", [(2, 1, "expected another item '- ' or the end of the list that starts at line 1")], NO_TREE),
    ("a: 1\n- b", [(2, 1, "expected another key 'key: value' or the end of the object that starts at")], NO_TREE),
    (
        "a:\n  b: 1\n c: 2",
        [(3, 2, "expected another key 'key: value' or the end of the object that starts at line 1, column 1: check")],
        NO_TREE,
    ),
    ("a: |\n    \n  x\n", [(3, 3, "expected another key")], NO_TREE),
    ("a: >\n\n\n  x\n y", [(5, 2, "expected another key")], NO_TREE),
    ("é: 'a' b", [(1, 8, f"b {FOLLOW}")], NO_TREE),
    ("a:\n    ? 'b' c", [(2, 11, f"c {FOLLOW}")], NO_TREE),
    ("a: 1\n - é: 'x' y", [(2, 5, COLON)], NO_TREE),
    ("a: 'b' c", [(1, 8, f"c {FOLLOW}")], NO_TREE),
    ("- 'b' c", [(1, 7, f"c {FOLLOW}")], NO_TREE),
    ("'a' b", [(1, 5, AFTER)], NO_TREE),
    ('"a":1', [(1, 4, AFTER)], NO_TREE),
    ("a: @b", [(1, 4, "text cannot start with @: put quotes around it")], NO_TREE),
    ("a: `b`", [(1, 4, "text cannot start with `")], NO_TREE),
    ("a: %b", [(1, 4, "text cannot start with %")], NO_TREE),
    ("a: | b", [(1, 6, BLOCK)], NO_TREE),
    ("a: |0\n b", [(1, 5, BLOCK)], NO_TREE),
    # several at once, in the order of the file
    (
        "a: .inf\nb: !x 1\na: 2\n<<: {}\nc: *c\nd: [",
        [
            (1, 4, NUMBER), (2, 4, TAGS), (3, 1, "twice"), (4, 1, "merge"), (5, 4, "no anchor"),
            (6, 5, "expected a value before the end of the file"),
        ],
        NO_TREE,
    ),
    # too deep, too large
    *((bracket * 1001, [(1, 65, "nested deeper than 64 levels")], NO_TREE) for bracket in "[{"),
    ("[" * 100_000, [(1, 65, "nested deeper than 64 levels")], NO_TREE),
    ("{a: " * 100_000, [(1, 257, "nested deeper")], NO_TREE),
    ("- " * 100_000, [(1, 129, "nested deeper")], NO_TREE),
    ("? " * 100_000, [(1, 3, KEY), (1, 129, "nested deeper")], NO_TREE),
    ("".join(" " * indent + "a:\n" for indent in range(500)), [(65, 65, "nested deeper")], NO_TREE),
    (
        "- &a0 []\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(1, 100)),
        [(64, 9, "with its aliases written out, the file is nested deeper than 64 levels")],
        NO_TREE,
    ),
    ("&a " * 100_000, [(1, 4, AFTER)], NO_TREE),
    ("!" * 100_000, [(1, 1, TAGS), (1, 1, EMPTY)], NO_TREE),
    ("%" * 100_000, [(1, 1, DIRECTIVE)], NO_TREE),
    ("x" * (MAX_BYTES + 1), [(0, 0, "too large: at most 16 MiB are read")], NO_TREE),
    (b" " * (MAX_BYTES + 1), [(0, 0, "too large")], NO_TREE),
]  # fmt: skip


@each_row("libyaml", PARSERS)
def test_values_are_those_of_yaml_1_2(libyaml: bool) -> None:
    """A file without errors has exactly the values that YAML 1.2 gives it, and of the right types."""
    for source, value in VALUES:
        tree, problems = read(source, libyaml)
        assert problems == [], ascii(source[:60])
        assert same(tree.plain(), value), ascii(source[:60])


@each_row("libyaml", PARSERS)
def test_hostile_files_give_clear_errors(libyaml: bool) -> None:
    """Every problem of a hostile file is shown at its place; where the file is still a tree, the rest can be read."""
    for source, expected, value in HOSTILE:
        tree, problems = read(source, libyaml)
        assert [problem[:2] for problem in problems] == [problem[:2] for problem in expected], ascii(source[:60])
        for (*_, message), (*_, fragment) in zip(problems, expected, strict=True):
            assert fragment in message
            assert len(message) < 250
            assert "\n" not in message
        assert tree is None if value is NO_TREE else same(tree.plain(), value), ascii(source[:60])


@each_row("libyaml", PARSERS)
def test_every_value_and_key_knows_its_place(libyaml: bool) -> None:
    """Lines and columns count from 1, columns in characters, and point to where a value or key starts."""
    tree, problems = read("é: 😀\nlist:\n  - 'a'\n  - {x: &n 1, y: *n, z: }\nblock: |\n  text\n", libyaml)
    assert problems == []
    shared = Node(4, 9, 1)
    assert tree == Node(
        1,
        1,
        {
            "é": Member(1, 1, Node(1, 4, "😀")),
            "list": Member(
                2,
                1,
                Node(
                    3,
                    3,
                    [
                        Node(3, 5, "a"),
                        Node(
                            4,
                            5,
                            {
                                "x": Member(4, 6, shared),
                                "y": Member(4, 15, shared),
                                "z": Member(4, 22, Node(4, 25, None)),
                            },
                        ),
                    ],
                ),
            ),
            "block": Member(5, 1, Node(5, 8, "text\n")),
        },
    )


@each_row("libyaml", PARSERS)
def test_what_is_not_there_has_a_place_too(libyaml: bool) -> None:
    """Where a value would be, or where the alias is that leads nowhere."""
    assert read("a:", libyaml)[0].value["a"].node == Node(1, 3, None)
    assert read("a: *b", libyaml)[0].value["a"].node == Node(1, 4, None)


def test_places_are_right_on_a_line_with_surrogate_escapes() -> None:
    """Putting surrogate pairs together moves nothing that follows on the line."""
    tree, _ = read(r'["\ud83d\ude00", b]')
    assert tree.value[1] == Node(1, 18, "b")


def test_aliases_share_the_node_of_their_anchor() -> None:
    """What an alias repeats is not copied."""
    tree, _ = read("[&a {b: 1}, *a, *a]")
    first, second, third = tree.value
    assert first is second is third


@pytest.mark.parametrize("source", ["a: 1\n" * 1000, "{" + ",\n".join(['"a": 1'] * 1000) + "}"])
def test_reading_stops_after_many_problems(source: str) -> None:
    """A file with endless errors gives the first of them, and says that there are more."""
    tree, problems = read(source)
    assert tree is None
    assert len(problems) == MOST_PROBLEMS + 1
    assert problems[-1] == (MOST_PROBLEMS + 2, 1, "there are more problems from here on: fix these first")


def laughs(start: str, item: str, levels: int = 20, width: int = 9) -> str:
    lines = [f"- &a0 {start}"]
    lines += [f"- &a{n} {item.format(', '.join([f'*a{n - 1}'] * width))}" for n in range(1, levels)]
    return "\n".join(lines)


# Files that would take long or much memory when read carelessly: (what makes the source, what the message says).
BOMBS: dict[str, tuple[Callable[[], str], str]] = {
    "laughs in lists": (lambda: laughs("lol", "[{}]"), f"more than {MAX_NODES:,} values, aliases written out"),
    "laughs in objects": (lambda: laughs("{a: 1}", "{{x: [{}]}}"), f"more than {MAX_NODES:,} values"),
    "laughs two by two": (lambda: laughs("x", "[{}]", 60, 2), f"more than {MAX_NODES:,} values"),
    "a long text many times": (lambda: f"- &a {'x' * 100_000}\n" + "- *a\n" * 1000, "more than 16,777,216 characters"),
    "a long list many times": (
        lambda: f"- &a [{'x' * 99_999}, b]\n" + "- *a\n" * 1000,
        "more than 16,777,216 characters",
    ),
    "many values": (lambda: "[" + "1," * 2_000_000, f"more than {MAX_NODES:,} values"),
    "many texts": (lambda: "- abcdefg\n" * 1_000_000, f"more than {MAX_NODES:,} values"),
    "many objects": (lambda: "[" + "{a: 1}," * 1_000_000, f"more than {MAX_NODES:,} values"),
    "many documents": (lambda: "--- a\n" * 1_000_000, "a file has one document"),
    "many duplicates": (lambda: "{" + "a: 1, " * 1_000_000, "there are more problems"),
    "many unknown aliases": (lambda: "[" + "*a, " * 1_000_000, "there are more problems"),
    "many tags": (lambda: "- !x 1\n" * 1_000_000, "there are more problems"),
    "many huge numbers": (lambda: ("- 1" + "0" * 10_000 + "\n") * 1000, "there are more problems"),
    "a number of a million digits": (lambda: "1" * 1_000_000, "(1000000 characters) does not fit in 64 bits"),
    "a float of a million digits": (lambda: "1" * 1_000_000 + ".0", "(1000002 characters) is too large"),
    "a million brackets": (lambda: "[" * 1_000_000, f"nested deeper than {MAX_DEPTH} levels"),
    "a million brackets, on lines": (lambda: "[\n" * 1_000_000, f"nested deeper than {MAX_DEPTH} levels"),
    "a million braces": (lambda: "{a: " * 1_000_000, f"nested deeper than {MAX_DEPTH} levels"),
    "a million dashes": (lambda: "- " * 1_000_000, f"nested deeper than {MAX_DEPTH} levels"),
    "a million anchors": (lambda: "&a " * 1_000_000, "ends before this place"),
    "a million aliases": (lambda: "*a " * 1_000_000, "ends before this place"),
    "a million exclamation marks": (lambda: "! " * 1_000_000, "ends before this place"),
    "a million commas": (lambda: "[" + "," * 1_000_000, "expected a value before ,"),
    "a million colons": (lambda: ": " * 1_000_000, "a key is missing"),
    "a million quotes": (lambda: '"' * 1_000_000, "ends before this place"),
    "JSON of many values": (lambda: "[" + "1," * 2_000_000 + "1]", f"more than {MAX_NODES:,} values"),
    "JSON of a million brackets": (lambda: '{"a":' * 1_000_000, f"nested deeper than {MAX_DEPTH} levels"),
    "a text of 16 MiB that never ends": (lambda: '"' + "x" * (MAX_BYTES - 1), "is never closed"),
    "16 MiB of comments": (lambda: "#\n" * (MAX_BYTES // 2), "the file is empty"),
}

# The memory of the whole process is limited, for libyaml's does not show in what Python can trace.
MEASURE = """
import resource, sys, time
import psutil
from mockserver.model.fields import Reading
from mockserver.script.tree import read_tree

source = sys.stdin.buffer.read()
limit = psutil.Process().memory_info().vms + 100_000_000
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
reading = Reading([])
started = time.process_time()
read_tree(source, reading)
print(time.process_time() - started, reading.problems[-1].message)
"""


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot limit the memory of a process")
@pytest.mark.parametrize(("make", "fragment"), BOMBS.values(), ids=BOMBS)
def test_bombs_take_little_time_and_memory(make: Any, fragment: Any) -> None:
    """A file made to exhaust its reader is refused soon, within 100 MB."""
    command = [sys.executable, "-c", MEASURE]
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    child = subprocess.run(
        command, input=make().encode(), capture_output=True, env=unmeasured, timeout=300, check=False
    )
    assert child.returncode == 0, child.stderr.decode()
    seconds, message = child.stdout.decode().split(maxsplit=1)
    assert fragment in message
    assert float(seconds) < 10  # of processor time: a guard against hanging, a fraction of a second is usual


SMALL_BOMBS = {name: bomb for name, bomb in BOMBS.items() if not name.startswith("many") and "16 MiB" not in name}


@pytest.mark.full
def test_bombs_are_refused_by_both_parsers() -> None:
    """Each of them is stopped at the same limits, and soon."""
    for name, (make, fragment) in SMALL_BOMBS.items():
        for libyaml in PARSERS:
            _, problems = read(make(), libyaml)
            assert fragment in problems[-1][2], (name, libyaml)


VALUES_LIMIT = f"the file has more than {MAX_NODES:,} values, aliases written out: use repeat instead of many steps"
TEXT_LIMIT = f"with its aliases written out, the file has more than {MAX_BYTES:,} characters"
A_THOUSAND_NODES = f"- &a [{'1,' * 999}]\n"


@each_row(
    ("source", "place", "message"),
    [
        (laughs("lol", "[{}]"), (7, 18), VALUES_LIMIT),
        (A_THOUSAND_NODES + "- *a\n" * 248 + "- 1\n" * 1000, (1249, 3), VALUES_LIMIT),
        (A_THOUSAND_NODES + "- *a\n" * 248 + "- 1\n" * 999 + "- []", (1249, 3), VALUES_LIMIT),
        (A_THOUSAND_NODES + "- *a\n" * 300, (250, 3), VALUES_LIMIT),
        (f"- &a {'x' * 2**14}\n" + "- *a\n" * 1025, (1026, 3), TEXT_LIMIT),
        (f"- &a [{'x' * 99_999}, b]\n" + "- *a\n" * 200, (169, 3), TEXT_LIMIT),
        (f"- &a {'x' * 100_000}\n- &b [*a, *a]\n" + "- *b\n" * 100, (85, 3), TEXT_LIMIT),
    ],
)
def test_what_aliases_blow_up_is_refused_where_it_gets_too_large(
    source: str, place: tuple[int, int], message: str
) -> None:
    """The values, and the characters, written out; by both parsers alike."""
    for libyaml in PARSERS:
        assert read(source, libyaml)[1] == [(*place, message)]


def test_aliases_just_within_the_limits_are_read() -> None:
    """The limits are limits: what just keeps them is fine."""
    for source in (A_THOUSAND_NODES + "- *a\n" * 248 + "- 1\n" * 999, f"- &a {'x' * 2**14}\n" + "- *a\n" * 1024):
        assert read(source)[1] == []


def test_what_was_found_before_is_kept_where_a_file_is_read_again() -> None:
    """A syntax error makes the other parser read; only what the first one found in this file is forgotten."""
    reading = Reading([])
    reading.problem_at(7, 1, "in another file")
    read_tree("a: !x 1\nb: [", reading)
    assert [problem.line for problem in reading.problems] == [7, 1, 2]


def test_aliases_up_to_the_limits_can_be_written_out() -> None:
    """A tree that is returned is small enough to be turned into plain values."""
    tree, problems = read("- &a [b, b, b]\n" + "- *a\n" * 50_000)
    assert problems == []
    assert tree.plain() == [["b", "b", "b"]] * 50_001


@each_row("libyaml", PARSERS)
def test_the_deepest_allowed_nesting_is_read(libyaml: bool) -> None:
    """The limit is a limit: what just keeps it is fine, in brackets and by aliases."""
    for deepest in ("[" * MAX_DEPTH + "]" * MAX_DEPTH, "- " * MAX_DEPTH):
        assert read(deepest, libyaml)[1] == []
    chain = "- &a1 []\n" + "".join(f"- &a{n} [*a{n - 1}]\n" for n in range(2, MAX_DEPTH))
    assert read(chain, libyaml)[1] == []


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda values: st.lists(values, max_size=5) | st.dictionaries(st.text(), values, max_size=5),
    max_leaves=30,
)


@given(json_values, st.sampled_from([None, 1, "\t"]), st.booleans(), st.booleans())
@settings(deadline=None)
def test_json_means_what_it_means_in_json(
    value: Any, indent: int | str | None, ensure_ascii: bool, as_yaml: bool
) -> None:
    """Every JSON document is read with the values that a JSON parser gives it, by the reader of YAML too."""
    source = json.dumps(value, indent=indent, ensure_ascii=ensure_ascii)
    tree, problems = read(f"# YAML\n{source}" if as_yaml else source)
    if problems:
        assert as_yaml or not isinstance(value, (list, dict))
        assert problems[0][2].startswith("the character U+")
    else:
        assert same(tree.plain(), value)


TOKENS = [
    "a", "b", "1", ".inf", "null", ": ", ":", "- ", "-", "? ", "?", "[", "]", "{", "}", ", ", ",", '"', "'", "|", ">",
    "|2", "#", " # c", "&a ", "*a", "*b ", "!", "!!str ", "<<", " ", "  ", "\n", "\n  ", "\r\n", "\r", "\t", "\\",
    "\\x41", "\\ud83d\\ude00", "\\ud800", "\\uffff", "%", "%YAML 1.2\n", "---\n", "...\n", "@", "é", "😀",
    "\ufeff", "a: 1\n", "- b\n", "\0", "\x85",
]  # fmt: skip
anything = st.text() | st.binary() | st.lists(st.sampled_from(TOKENS), max_size=15).map("".join)


@given(anything)
@settings(deadline=None, max_examples=500)
def test_nothing_makes_the_reader_raise_and_both_parsers_agree(source: bytes | str) -> None:
    """Whatever the source, there is a tree or a problem, each with a place in the file; without libyaml too."""
    found = [read(source, libyaml) for libyaml in PARSERS]
    for tree, problems in found:
        assert tree is not None or problems
        for line, column, message in problems:
            assert (line, column) == (0, 0) or (line >= 1 and column >= 1)
            assert "this is not YAML" not in message  # the words for what the reader does not know
        if tree is not None:
            json.dumps(tree.plain(), allow_nan=False).encode()
    assert len({bool(problems) for _, problems in found}) == 1
    assert found[0][1] or len({json.dumps(tree.plain()) for tree, _ in found}) == 1
