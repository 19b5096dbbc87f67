"""The events of a YAML file, from whichever parser PyYAML has: libyaml, or its own in Python.

The two differ in details, so the Python one is brought in line with libyaml here: tabs between tokens, question
marks and colons within flow collections, unknown directives, and the place of the end of the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml
from yaml.parser import Parser, ParserError
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

from mockserver.script.yaml_errors import SyntaxProblem, worded
from mockserver.script.yaml_source import Source, UnreadableError

#: Whether PyYAML was built with libyaml, which is some twenty times as fast.
HAS_LIBYAML: bool = bool(yaml.__with_libyaml__)

_PLAIN_IN_BLOCK = re.compile(r"(?:[^\0 \t\r\n:]|:(?![\0 \t\r\n]))+")
_PLAIN_IN_FLOW = re.compile(r"(?:[^\0 \t\r\n:,\[\]{}]|:(?![\0 \t\r\n,?\[\]{}]))+")
_BLANKS = re.compile(r"[ \t]*")
_DOCUMENT_MARKER = re.compile(r"(?:---|\.\.\.)[\0 \t\r\n]")


def events(source: Source, *, libyaml: bool = HAS_LIBYAML) -> Iterator[Any]:
    """Yield the events of a YAML file one by one, so that reading can stop at any of them.

    Args:
        source: The file.
        libyaml: Which parser reads it.

    Raises:
        UnreadableError: The file is not YAML; the problem says what is wrong, and where.
    """
    parser = yaml.CSafeLoader(source.parsed) if libyaml else _PythonParser(source.parsed.decode())
    get_event = parser.get_event
    while True:
        try:
            event = get_event()
        except yaml.MarkedYAMLError as error:
            raise UnreadableError(worded(SyntaxProblem.of(error), source)) from None
        if event is None:
            return
        yield event


class _PythonParser(Reader, Scanner, Parser):
    """PyYAML's own parser, brought in line with libyaml."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    def scan_to_next_token(self) -> None:
        """Skip blanks, comments and line breaks; tabs too, but not where they would indent."""
        if self.index == 0 and self.peek() == "\ufeff":
            self.forward()
        while True:
            while self.peek() == " " or (self.peek() == "\t" and (self.flow_level or not self.allow_simple_key)):
                self.forward()
            if self.peek() == "#":
                while self.peek() not in "\0\r\n":
                    self.forward()
            if not self._skip_line_break():
                return
            self.allow_simple_key = self.allow_simple_key or not self.flow_level

    def scan_plain(self) -> yaml.ScalarToken:
        """Scan a plain scalar, which may go on over several lines."""
        chunks: list[str] = []
        blanks: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        while self.peek() != "#" and not self._at_document_marker():
            piece = self._plain_piece(start)
            if not piece:
                break
            chunks += [*blanks, piece]
            end = self.get_mark()
            self.allow_simple_key = False
            blanks = self.scan_plain_spaces(indent, start)
            if not blanks or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(chunks), True, start, end)

    def scan_plain_spaces(self, indent: int, start_mark: yaml.Mark) -> list[str]:
        """Scan the blanks and line breaks within a plain scalar; return what they stand for."""
        blanks = self._take(_BLANKS)
        if not self._skip_line_break():
            return [blanks] if blanks else []
        self.allow_simple_key = True
        breaks = []
        while self.peek() in " \t\r\n":
            if self.peek() == "\t" and self.column < indent:
                problem = "found a tab character that violates indentation"
                raise ScannerError("while scanning a plain scalar", start_mark, problem, self.get_mark())
            if self._skip_line_break():
                breaks.append("\n")
            else:
                self.forward()
        return breaks or [" "]

    def scan_block_scalar_indentation(self) -> tuple[list[str], int, yaml.Mark]:
        """Find the indentation of a block scalar; a tab cannot be part of it."""
        start = self.get_mark()
        found: tuple[list[str], int, yaml.Mark] = super().scan_block_scalar_indentation()
        if self.peek() == "\t":
            problem = "found a tab character where an indentation space is expected"
            raise ScannerError("while scanning a block scalar", start, problem, self.get_mark())
        return found

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: yaml.Mark) -> list[str]:
        """Scan a piece of a quoted scalar."""
        try:
            chunks: list[str] = super().scan_flow_scalar_non_spaces(double, start_mark)
        except (ValueError, OverflowError):  # chr() knows no such character
            problem = "found invalid Unicode character escape code"
            raise ScannerError("while parsing a quoted scalar", start_mark, problem, self.get_mark()) from None
        return chunks

    def scan_directive(self) -> yaml.DirectiveToken:
        """Scan a directive: %YAML 1.1, %YAML 1.2 or %TAG."""
        start = self.get_mark()
        try:
            token: yaml.DirectiveToken = super().scan_directive()
        except ValueError:  # int() refuses thousands of digits
            raise ScannerError("while scanning a directive", start, "found long version number", start) from None
        if token.name not in ("YAML", "TAG"):
            raise ScannerError("while scanning a directive", start, "found unknown directive name", start)
        if token.name == "YAML" and token.value not in ((1, 1), (1, 2)):
            raise ParserError(None, None, "found incompatible YAML document", start)
        return token

    def parse_flow_mapping_value(self) -> Any:
        """Parse the value in a flow mapping; one that is not there has its place behind the blanks."""
        base: Any = super()  # PyYAML's stubs have no types here
        return self._moved(base.parse_flow_mapping_value())

    def parse_flow_sequence_entry_mapping_value(self) -> Any:
        """Parse the value of a mapping without braces; one that is not there has its place behind the blanks."""
        base: Any = super()
        return self._moved(base.parse_flow_sequence_entry_mapping_value())

    def _moved(self, event: Any) -> Any:
        if event.start_mark.index == event.end_mark.index:  # only a value that is not there takes no room
            parser: Any = self
            event.start_mark = parser.peek_token().start_mark
        return event

    def fetch_stream_end(self) -> None:
        """End the stream, where libyaml does: at the start of a line."""
        if self.column:
            self.line, self.column = self.line + 1, 0
        super().fetch_stream_end()

    def _plain_piece(self, start: yaml.Mark) -> str:
        piece = self._take(_PLAIN_IN_FLOW if self.flow_level else _PLAIN_IN_BLOCK)
        if self.flow_level and self.peek() == ":" and self.peek(1) in ",?[]{}":
            raise ScannerError("while scanning a plain scalar", start, "found unexpected ':'", self.get_mark())
        return piece

    def _skip_line_break(self) -> bool:
        base: Any = super()
        return bool(base.scan_line_break())

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.buffer, self.pointer)
        taken = found[0] if found else ""
        self.forward(len(taken))
        return taken

    def _at_document_marker(self) -> bool:
        return self.column == 0 and _DOCUMENT_MARKER.match(self.buffer, self.pointer) is not None
