"""Reading YAML into a tree of nodes, as YAML 1.2 reads JSON, with syntax errors in words for the author of the file.

A parser's events are put together here with a stack of our own, because every rule needs the place of a value: no tag
runs code, keys are text and occur once, and whatever a file holds, time and memory stay bounded. ``yaml.compose`` will
not do: it recurses (a file of a hundred thousand brackets ends the process), it holds the whole tree before a limit can
be seen, and it refuses an anchor that is given twice, which YAML allows.

libyaml and PyYAML's own parser word the same errors differently. Both are recognised by what their texts have in
common, and both get the same message at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, NoReturn

import msgspec
import yaml
from yaml import MarkedYAMLError

from mockserver.errors import Problem
from mockserver.model.fields import Member, Node, Reading
from mockserver.script.source import (
    EMPTY,
    MAX_BYTES,
    MAX_DEPTH,
    MAX_NODES,
    TOO_DEEP,
    TOO_MANY_VALUES,
    UnreadableError,
    cut,
    half_of_a_character,
    place_of,
    resolve,
    twice,
)
from mockserver.script.yaml_parser import DIRECTIVE, HAS_LIBYAML, YamlText, events

TAGS = "tags are not supported: write the value plainly (quote it to make it a string)"
TAB = "a tab is not allowed here: YAML is indented with spaces"


class SyntaxProblem(NamedTuple):
    """A syntax error as a parser reports it: what it was reading (may be empty), what it met, and where."""

    context: str
    problem: str
    context_mark: Any
    problem_mark: Any

    @classmethod
    def of(cls, error: MarkedYAMLError) -> SyntaxProblem:
        """Take a parser's exception apart; what was found instead is left out, as only one parser says it."""
        problem = re.sub(r",? but (?:found|got) .*", "", error.problem or "", flags=re.DOTALL)
        return cls(error.context or "", problem, error.context_mark, error.problem_mark)

    @property
    def start_index(self) -> int:
        """Index of the first character of what cannot be read."""
        mark = self.problem_mark if self.context_mark is None else self.context_mark
        return int(mark.index)

    @property
    def problem_index(self) -> int:
        """Index of the character that is the problem."""
        return int(self.problem_mark.index)


def worded(error: MarkedYAMLError, text: str) -> Problem:
    """Return a parser's error as the problem that a person reads."""
    found = SyntaxProblem.of(error)
    report = f"{found.context}: {found.problem}"
    wording = next(wording for pattern, wording in _WORDINGS if re.search(pattern, report))
    index, message = wording(found, text)
    return Problem(*place_of(text, index), message)


Wording = Callable[[SyntaxProblem, str], tuple[int, str]]


def _at_start(message: str, found: SyntaxProblem, _: str) -> tuple[int, str]:
    return found.start_index, message


def _at_problem(message: str, found: SyntaxProblem, _: str) -> tuple[int, str]:
    return found.problem_index, message


def _unclosed_quote(found: SyntaxProblem, text: str) -> tuple[int, str]:
    return found.start_index, f"this text is never closed: a {text[found.start_index]} is missing at its end"


def _bad_escape(found: SyntaxProblem, text: str) -> tuple[int, str]:
    # libyaml points to the backslash or after the letter, PyYAML to the letter or after it.
    index = text.rindex("\\", 0, found.problem_index + 1)
    letter = text[index + 1 : index + 2]
    digits = {"x": "2 hexadecimal digits", "u": "4 hexadecimal digits", "U": "8 hexadecimal digits"}.get(letter)
    if digits:
        return index, f"\\{letter} is followed by {digits} that name a character; write \\\\ for a backslash"
    return index, f"\\{letter} is not an escape: write \\\\ for a backslash, or use single quotes"


def _bad_character(found: SyntaxProblem, text: str) -> tuple[int, str]:
    char = text[found.problem_index]
    return found.problem_index, TAB if char == "\t" else f"text cannot start with {char}: put quotes around it"


def _bad_flow(opening: str, closing: str, what: str, found: SyntaxProblem, text: str) -> tuple[int, str]:
    if found.problem_index >= len(text):
        return found.start_index, f"this {opening} is never closed: a {closing} is missing"
    line, column = place_of(text, found.start_index)
    message = f"expected , or {closing} here, in the {what} that {opening} opened at line {line}, column {column}"
    if text[found.problem_index] == ":":
        message += "; a key is in one line with its colon"
    return found.problem_index, message


def _bad_block(what: str, next_one: str, found: SyntaxProblem, text: str) -> tuple[int, str]:
    char = text[found.problem_index : found.problem_index + 1]
    if char == ":":
        return found.problem_index, "a key is missing before the colon"
    _, column = place_of(text, found.problem_index)
    if text[found.problem_index - column + 1 : found.problem_index].strip(" -?"):
        return found.problem_index, f"{char} cannot follow the value in this line: put quotes around the whole text"
    line, column = place_of(text, found.start_index)
    message = f"expected {next_one} or the end of the {what} that starts at line {line}, column {column}"
    return found.problem_index, f"{message}: check the indentation"


def _missing_value(found: SyntaxProblem, text: str) -> tuple[int, str]:
    char = text[found.problem_index : found.problem_index + 1]
    return (
        found.problem_index,
        f"expected a value before {char}" if char else "expected a value before the end of the file",
    )


def _unknown(found: SyntaxProblem, _: str) -> tuple[int, str]:
    return found.problem_index, f"this is not YAML: {found.problem}"


# The first that matches counts.
_WORDINGS: tuple[tuple[str, Wording], ...] = (
    ("nesting depth", partial(_at_problem, TOO_DEEP)),
    ("tab character", partial(_at_problem, TAB)),
    ("unexpected end of stream", _unclosed_quote),
    (
        "document (?:indicator|separator)",
        partial(_at_problem, "a quoted text cannot hold a line with --- or ...: indent it"),
    ),
    (
        "directive|incompatible|duplicate",
        partial(_at_start, DIRECTIVE),
    ),
    ("undefined tag handle", partial(_at_problem, TAGS)),
    (r"\btag\b", partial(_at_start, TAGS)),
    ("escape character|hexdecimal|hexadecimal numbers|character escape code", _bad_escape),
    (
        "could not find expected ':'",
        partial(_at_start, "expected a key with a colon and a space: 'key: value', the key in one line"),
    ),
    (
        "mapping values are not allowed",
        partial(
            _at_problem,
            "a colon is not allowed here: quote text with ': ' in it; keys of one object start in one column",
        ),
    ),
    (
        "sequence entries are not allowed",
        partial(_at_problem, "a list item cannot start here: put '- ' on a line of its own"),
    ),
    ("mapping keys are not allowed", partial(_at_problem, "'? ' cannot start a key here: put quotes around the text")),
    ("cannot start any token", _bad_character),
    (
        "an anchor",
        partial(_at_start, "& must be followed by a name (letters, digits, - and _): put quotes around text with &"),
    ),
    (
        "an alias",
        partial(_at_start, "* must be followed by a name (letters, digits, - and _): put quotes around text with *"),
    ),
    (
        "block scalar",
        partial(_at_problem, "after | or > only + or - and one digit from 1 to 9 can follow, then a new line"),
    ),
    (
        "expected '?<document start>",
        partial(_at_problem, "the file's value ends before this place: nothing can follow it"),
    ),
    ("flow sequence", partial(_bad_flow, "[", "]", "list")),
    ("flow mapping", partial(_bad_flow, "{", "}", "object")),
    ("block collection", partial(_bad_block, "list", "another item '- '")),
    ("block mapping", partial(_bad_block, "object", "another key 'key: value'")),
    ("node", _missing_value),
    ("", _unknown),
)


def read_yaml(text: str, reading: Reading, *, libyaml: bool = HAS_LIBYAML) -> Node:
    """Return the tree of the first document, noting problems in the order of the file.

    It is there even when there are problems, as long as the file could be read to its end, so that more can be found.
    Without ``libyaml``, the results are the same. Raises UnreadableError if the file cannot be read to its end, or
    there is nothing in it, and TooManyProblemsError.
    """
    source = YamlText(text)
    known = len(reading.problems)
    if libyaml and not (source.is_misread and source.is_rereadable):
        try:
            return _Builder(source, reading).build(events(source, libyaml=True))
        except yaml.MarkedYAMLError as error:
            if not source.is_rereadable:
                raise UnreadableError(worded(error, text)) from None
        except UnreadableError as stop:
            # How far libyaml reads ahead of what is nested too deeply depends on its version.
            if stop.problem.message != TOO_DEEP or not source.is_rereadable:
                raise
        del reading.problems[known:]
    try:
        return _Builder(source, reading).build(events(source, libyaml=False))
    except yaml.MarkedYAMLError as error:
        raise UnreadableError(worded(error, text)) from None


class _Anchored(msgspec.Struct):
    """What an anchor names (None while it is being read), and how much each alias to it adds to the file."""

    node: Node | None = None
    nodes: int = 1
    text: int = 0
    height: int = 0


_NOTHING = _Anchored()


class _Frame(msgspec.Struct):
    """A list or an object that is being read.

    ``members`` is None for a list. ``nodes_before`` and ``text_before`` are what the file held, and aliases had added,
    before it. ``in_key`` says that it is a key or part of one, which is a problem by now. ``key`` is that of the next
    value; None if that value is left out.
    """

    node: Node
    items: list[Node]
    members: dict[str, Member] | None
    wants_key: bool
    depth: int
    index: int = 0
    nodes_before: int = 0
    text_before: int = 0
    anchored: _Anchored | None = None
    deepest: int = 0
    in_key: bool = False
    key: str | None = None
    key_line: int = 0
    key_column: int = 0

    def put(self, node: Node) -> None:
        """Add the next value: an item of a list, or the value of a key."""
        if self.members is None:
            self.items.append(node)
        elif self.wants_key:  # a list, an object or an alias, which is a problem by now
            self.key, self.wants_key = None, False
        else:
            if self.key is not None:
                self.members[self.key] = Member(self.key_line, self.key_column, node)
            self.wants_key = True


class _Builder:
    """Puts events together to a tree, with a stack of frames and no recursion."""

    def __init__(self, source: YamlText, reading: Reading) -> None:
        self._source = source
        self._reading = reading
        self._roots: list[Node] = []
        self._documents = 0
        self._stack = [_Frame(Node(0, 0, self._roots), self._roots, None, wants_key=False, depth=0)]
        self._anchors: dict[str, _Anchored] = {}
        self._nodes = 0
        self._text = 0  # characters that aliases add

    def build(self, next_event: Callable[[], Any]) -> Node:
        """Return the tree of the first document; raises UnreadableError if it cannot be read to its end."""
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.SequenceStartEvent: self._start_list,
            yaml.MappingStartEvent: self._start_object,
            yaml.SequenceEndEvent: self._end,
            yaml.MappingEndEvent: self._end,
            yaml.DocumentStartEvent: self._document,
        }
        while (event := next_event()) is not None:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)
            if self._documents > 1:
                break
        if not self._roots:
            raise UnreadableError(Problem(1, 1, EMPTY))
        return self._roots[0]

    def _document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._problem(event.start_mark, "a file has one document: move this second one to a file of its own")

    def _scalar(self, event: Any) -> None:
        mark, text, frame = event.start_mark, event.value, self._stack[-1]
        if not text.isascii() and (wrong := half_of_a_character(text)):
            self._problem(mark, wrong)
            text = "\ufffd"
        if event.tag is not None:
            self._problem(mark, TAGS)
        if frame.wants_key and event.anchor is None:
            self._key(frame, text, event)
            return
        self._count(mark, 1)
        node = Node(mark.line + 1, mark.column + 1, text if event.style else self._resolved(text, mark))
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchored(node, text=len(text))
        if frame.wants_key:
            self._key(frame, text, event)
        elif text or event.style or frame.depth:  # a document with nothing in it is no value
            frame.put(node)

    def _key(self, frame: _Frame, text: str, event: Any) -> None:
        mark = event.start_mark
        frame.wants_key, frame.key = False, text
        frame.key_line, frame.key_column = mark.line + 1, mark.column + 1
        first = frame.members.get(text) if frame.members else None
        if first is not None:
            frame.key = None
            self._problem(mark, twice(text, first))
        elif text == "<<" and not event.style:
            frame.key = None
            self._problem(mark, "merge keys (<<) are not part of YAML 1.2: write the keys out, or quote it as a key")

    def _alias(self, event: Any) -> None:
        mark, name, frame = event.start_mark, event.anchor, self._stack[-1]
        anchored = self._anchors.get(name, _NOTHING)
        if frame.wants_key:
            self._problem(mark, f"an alias (*{cut(name)}) cannot be a key: write the key out")
        elif anchored is _NOTHING:
            self._problem(mark, f"there is no anchor &{cut(name)} above: put quotes around text that starts with *")
        elif anchored.node is None:
            self._problem(mark, f"the alias *{cut(name)} is within what it repeats: it would never end")
        else:
            self._expand(anchored, mark)
        frame.deepest = max(frame.deepest, frame.depth + anchored.height)
        frame.put(anchored.node or Node(mark.line + 1, mark.column + 1, None))

    def _expand(self, anchored: _Anchored, mark: Any) -> None:
        self._count(mark, anchored.nodes)
        self._text += anchored.text
        if self._text > MAX_BYTES:
            self._stop(mark, f"with its aliases written out, the file has more than {MAX_BYTES:,} characters")
        if self._stack[-1].depth + anchored.height > MAX_DEPTH:
            self._stop(mark, f"with its aliases written out, the file is nested deeper than {MAX_DEPTH} levels")

    def _start_list(self, event: Any) -> None:
        items: list[Node] = []
        self._start(event, items, None, Node(event.start_mark.line + 1, event.start_mark.column + 1, items))

    def _start_object(self, event: Any) -> None:
        members: dict[str, Member] = {}
        self._start(event, [], members, Node(event.start_mark.line + 1, event.start_mark.column + 1, members))

    def _start(self, event: Any, items: list[Node], members: dict[str, Member] | None, node: Node) -> None:
        mark, outer = event.start_mark, self._stack[-1]
        depth = outer.depth + 1
        if depth > MAX_DEPTH:
            self._stop(mark, TOO_DEEP)
        if outer.wants_key and not outer.in_key:
            self._problem(mark, self._bad_key(mark.index))
        if event.tag is not None:
            self._problem(mark, TAGS)
        frame = _Frame(
            node, items, members, members is not None, depth, mark.index, self._nodes, self._text, None, depth
        )
        frame.in_key = outer.in_key or outer.wants_key
        if event.anchor:
            frame.anchored = self._anchors[event.anchor] = _Anchored()
        self._stack.append(frame)
        self._count(mark, 1)

    def _bad_key(self, index: int) -> str:
        if self._source.text[index - 1 : index + 1] == "{{":
            return 'put quotes around a template: "{{ name }}"; without them, it is YAML for an object in an object'
        return "a key must be text, not a list or an object: put quotes around text with brackets"

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        outer = self._stack[-1]
        outer.deepest = max(outer.deepest, frame.deepest)
        if frame.anchored is not None:
            frame.anchored.node = frame.node
            frame.anchored.nodes = self._nodes - frame.nodes_before
            frame.anchored.text = event.end_mark.index - frame.index + self._text - frame.text_before
            frame.anchored.height = frame.deepest - outer.depth
        outer.put(frame.node)

    def _count(self, mark: Any, more: int) -> None:
        self._nodes += more
        if self._nodes > MAX_NODES:
            self._stop(mark, TOO_MANY_VALUES)

    def _resolved(self, text: str, mark: Any) -> Any:
        try:
            return resolve(text)
        except ValueError as error:
            self._problem(mark, str(error))
            return 0  # a number, so that nothing else is said about this value

    def _problem(self, mark: Any, message: str) -> None:
        self._reading.problem_at(mark.line + 1, mark.column + 1, message)

    def _stop(self, mark: Any, message: str) -> NoReturn:
        raise UnreadableError(Problem(mark.line + 1, mark.column + 1, message))
