"""The syntax errors of YAML in words for the person who wrote the file.

libyaml and PyYAML's own parser word the same errors differently. Both are recognised here by what their texts have
in common, and both get the same message at the same place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from yaml import MarkedYAMLError

from mockserver.errors import Problem
from mockserver.script.source import TOO_DEEP, place_of
from mockserver.script.yaml_parsers import DIRECTIVE

TAGS = "tags are not supported: write the value plainly (quote it to make it a string)"
TAB = "a tab is not allowed here: YAML is indented with spaces"


class SyntaxProblem(NamedTuple):
    """A syntax error as a parser reports it.

    Args:
        context: What the parser was reading; may be empty.
        problem: What it met.
        context_mark: Where that began; None if the parser does not say.
        problem_mark: Where it met the problem.
    """

    context: str
    problem: str
    context_mark: Any
    problem_mark: Any

    @classmethod
    def of(cls, error: MarkedYAMLError) -> SyntaxProblem:
        """Take a parser's exception apart; what was found instead is left out, for only one of the parsers says it."""
        problem = re.sub(r",? but (?:found|got) .*", "", error.problem or "", flags=re.DOTALL)
        return cls(error.context or "", problem, error.context_mark, error.problem_mark)

    @property
    def start_index(self) -> int:
        """Index of the character where the thing began that cannot be read."""
        mark = self.problem_mark if self.context_mark is None else self.context_mark
        return int(mark.index)

    @property
    def problem_index(self) -> int:
        """Index of the character that is the problem."""
        return int(self.problem_mark.index)


def worded(error: MarkedYAMLError, text: str) -> Problem:
    """Return the problem that a person reads.

    Args:
        error: What the parser says.
        text: What it read.
    """
    found = SyntaxProblem.of(error)
    report = f"{found.context}: {found.problem}"
    wording = next(wording for pattern, wording in _WORDINGS if re.search(pattern, report))
    index, message = wording(found, text)
    return Problem(*place_of(text, index), message)


Wording = Callable[[SyntaxProblem, str], tuple[int, str]]


def _at_start(message: str) -> Wording:
    return lambda found, _: (found.start_index, message)


def _at_problem(message: str) -> Wording:
    return lambda found, _: (found.problem_index, message)


def _unclosed_quote(found: SyntaxProblem, text: str) -> tuple[int, str]:
    return found.start_index, f"this text is never closed: a {text[found.start_index]} is missing at its end"


def _bad_escape(found: SyntaxProblem, text: str) -> tuple[int, str]:
    # libyaml points to the backslash or behind the letter, PyYAML to the letter or behind it.
    index = text.rindex("\\", found.start_index, found.problem_index + 1)
    letter = text[index + 1 : index + 2]
    digits = {"x": "2 hexadecimal digits", "u": "4 hexadecimal digits", "U": "8 hexadecimal digits"}.get(letter)
    if digits:
        return index, f"\\{letter} is followed by {digits} that name a character; write \\\\ for a backslash"
    return index, f"\\{letter} is not an escape: write \\\\ for a backslash, or use single quotes"


def _bad_character(found: SyntaxProblem, text: str) -> tuple[int, str]:
    char = text[found.problem_index]
    return found.problem_index, TAB if char == "\t" else f"text cannot start with {char}: put quotes around it"


def _bad_flow(opening: str, closing: str, what: str) -> Wording:
    def wording(found: SyntaxProblem, text: str) -> tuple[int, str]:
        if found.problem_index >= len(text):
            return found.start_index, f"this {opening} is never closed: a {closing} is missing"
        line, column = place_of(text, found.start_index)
        message = f"expected , or {closing} here, in the {what} that {opening} opened at line {line}, column {column}"
        if text[found.problem_index] == ":":
            message += "; a key is in one line with its colon"
        return found.problem_index, message

    return wording


def _bad_block(what: str, next_one: str) -> Wording:
    def wording(found: SyntaxProblem, text: str) -> tuple[int, str]:
        char = text[found.problem_index : found.problem_index + 1]
        if char == ":":
            return found.problem_index, "a key is missing before the colon"
        line, column = place_of(text, found.problem_index)
        if text[found.problem_index - column + 1 : found.problem_index].strip(" -?"):
            return found.problem_index, f"{char} cannot follow the value in this line: put quotes around the whole text"
        line, column = place_of(text, found.start_index)
        message = f"expected {next_one} or the end of the {what} that starts at line {line}, column {column}"
        return found.problem_index, f"{message}: check the indentation"

    return wording


def _missing_value(found: SyntaxProblem, text: str) -> tuple[int, str]:
    char = text[found.problem_index : found.problem_index + 1]
    return (
        found.problem_index,
        f"expected a value before {char}" if char else "expected a value before the end of the file",
    )


# The first that matches counts.
_WORDINGS: tuple[tuple[str, Wording], ...] = (
    ("nesting depth", _at_problem(TOO_DEEP)),
    ("tab character", _at_problem(TAB)),
    ("unexpected end of stream", _unclosed_quote),
    ("document (?:indicator|separator)", _at_problem("a quoted text cannot hold a line with --- or ...: indent it")),
    (
        "directive|incompatible|duplicate",
        _at_start(DIRECTIVE),
    ),
    ("undefined tag handle", _at_problem(TAGS)),
    (r"\btag\b", _at_start(TAGS)),
    ("escape character|hexdecimal|hexadecimal numbers|character escape code", _bad_escape),
    (
        "could not find expected ':'",
        _at_start("expected a key with a colon and a space: 'key: value', the key in one line"),
    ),
    (
        "mapping values are not allowed",
        _at_problem("a colon is not allowed here: quote text with ': ' in it; keys of one object start in one column"),
    ),
    ("sequence entries are not allowed", _at_problem("a list item cannot start here: put '- ' on a line of its own")),
    ("mapping keys are not allowed", _at_problem("'? ' cannot start a key here: put quotes around the text")),
    ("cannot start any token", _bad_character),
    ("an anchor", _at_start("& must be followed by a name (letters, digits, - and _): put quotes around text with &")),
    ("an alias", _at_start("* must be followed by a name (letters, digits, - and _): put quotes around text with *")),
    ("block scalar", _at_problem("after | or > only + or - and one digit from 1 to 9 can follow, then a new line")),
    ("expected '?<document start>", _at_problem("the file's value ends before this place: nothing can follow it")),
    ("flow sequence", _bad_flow("[", "]", "list")),
    ("flow mapping", _bad_flow("{", "}", "object")),
    ("block collection", _bad_block("list", "another item '- '")),
    ("block mapping", _bad_block("object", "another key 'key: value'")),
    ("node", _missing_value),
    ("", lambda found, _: (found.problem_index, f"this is not YAML: {found.problem}")),
)
