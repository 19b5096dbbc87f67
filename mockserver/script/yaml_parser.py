"""The events of a YAML text, from one of two parsers that give the same ones.

libyaml is some twenty times as fast, but PyYAML may be built without it, its versions differ, and it refuses or
misreads some of what YAML 1.2 allows. PyYAML's own parser, corrected here, decides in these cases.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml
from yaml.parser import Parser
from yaml.reader import Reader
from yaml.scanner import Scanner, ScannerError

from mockserver.errors import Problem
from mockserver.script.source import MAX_DEPTH, TOO_DEEP, UnreadableError, bad_character, place_of

#: Whether PyYAML was built with libyaml.
HAS_LIBYAML: bool = bool(yaml.__with_libyaml__)

#: A longer text is read by libyaml alone, if there is one: PyYAML's own parser would take a minute for it.
_MOST_REREAD = 256 * 1024

#: What libyaml misreads: a question mark that begins text within brackets, and what follows | or > without a space.
_MISREAD = re.compile(r"[\[{,\s]\?[^\s,\[\]{}]|[|>][-+0-9]{0,2}(?:#| *\t)")

# YAML allows no control characters but tabs and line breaks; JSON does not have the line breaks of YAML 1.1.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_DIRECTIVE = re.compile(r"(?:[ \t]*(?:#[^\r\n]*)?[\r\n])*(%[^\r\n]*)")
_VERSION = re.compile(r"%YAML[ \t]+1\.[12](?:[ \t]+#.*|[ \t]*)")
_LAST_SPACES = re.compile(r"[\r\n] +\Z")

_PLAIN_IN_BLOCK = re.compile(r"(?:[^\0 \t\r\n:]|:(?![\0 \t\r\n]))+")
_PLAIN_IN_FLOW = re.compile(r"(?:[^\0 \t\r\n:,\[\]{}]|:(?![\0 \t\r\n,\[\]{}]))+")
_SPACES = re.compile(r"[ \t]*")
_BLANK_LINE = re.compile(r"[ \t]+(?=[#\r\n\0])")
_LINE = re.compile(r"[^\r\n\0]*")
_DOCUMENT_MARKER = re.compile(r"(?:---|\.\.\.)[\0 \t\r\n]")
_AFTER_INDICATOR = "\0 \t\r\n"
_AFTER_INDICATOR_IN_FLOW = "\0 \t\r\n,[]{}"
_LONGEST_KEY_IN_FLOW = 65_536


class YamlText:
    """A text that is free of what no YAML file may hold.

    Raises UnreadableError for characters that YAML does not allow, and directives that mean nothing here.
    """

    def __init__(self, text: str) -> None:
        found = _FORBIDDEN.search(text)
        if found:
            raise UnreadableError(bad_character(text, found.start()))
        self.text = text
        # Parsers differ in directives, so they are not shown any; places stay.
        self.parsed = text if "%" not in text else _without_version(text)
        if text.endswith(" ") and _LAST_SPACES.search(
            text
        ):  # libyaml ignores a last line of spaces that has no line break
            self.parsed += "\n"

    @property
    def is_rereadable(self) -> bool:
        """Whether it is short enough for PyYAML's own parser."""
        return len(self.text) <= _MOST_REREAD

    @property
    def is_misread(self) -> bool:
        """Whether there is something in it that libyaml misreads."""
        # Most texts have none of these characters, and looking for one takes a hundredth of the time.
        return any(mark in self.text for mark in "?|>") and _MISREAD.search(self.text) is not None


def _without_version(text: str) -> str:
    """Return a text with its version directive made a comment."""
    first = _DIRECTIVE.match(text)
    if not first:
        return text
    second = _DIRECTIVE.match(text, first.end())
    wrong = second if _VERSION.fullmatch(first[1]) else first
    if wrong:
        raise UnreadableError(Problem(*place_of(text, wrong.start(1)), DIRECTIVE))
    return f"{text[: first.start(1)]}#{text[first.start(1) + 1 :]}"


DIRECTIVE = "a line that starts with % is a directive, and the only one allowed is '%YAML 1.2', once"


def events(source: YamlText, *, libyaml: bool) -> Callable[[], Any]:
    """Return what gives the events of a text, one at each call, and None at the end: reading can stop at any of them.

    It raises a MarkedYAMLError where the text is not YAML, and an UnreadableError where it is nested too deeply.
    """
    parser: Any = yaml.CSafeLoader(source.parsed) if libyaml else _PythonParser(source.parsed)
    get_event: Callable[[], Any] = parser.get_event
    return get_event


class _PythonParser(Reader, Scanner, Parser):
    """PyYAML's own parser, corrected."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)

    # --- where tokens begin

    def check_key(self) -> bool:
        """Return whether a question mark here begins a key; otherwise it is text."""
        return self.peek(1) in self._after_indicator

    def check_value(self) -> bool:
        """Return whether a colon here is followed by a value; otherwise it is text."""
        return self.peek(1) in self._after_indicator or (self.flow_level > 0 and self._follows_json_key())

    def check_plain(self) -> bool:
        """Return whether plain text begins here."""
        if self.peek() in "?:":
            return self.peek(1) not in self._after_indicator
        base: Any = super()  # PyYAML's stubs have no types here
        return bool(base.check_plain())

    @property
    def _after_indicator(self) -> str:
        return _AFTER_INDICATOR_IN_FLOW if self.flow_level else _AFTER_INDICATOR

    def _follows_json_key(self) -> bool:
        last = self.tokens[-1] if self.tokens and self.flow_level in self.possible_simple_keys else None
        if isinstance(last, yaml.ScalarToken):
            return not last.plain
        return isinstance(last, (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken))

    def stale_possible_simple_keys(self) -> None:
        """Forget keys whose colon can no longer come; within brackets it may come on a later line."""
        inner = {level: key for level, key in self.possible_simple_keys.items() if level}
        for level in inner:
            del self.possible_simple_keys[level]
        super().stale_possible_simple_keys()
        near = {level: key for level, key in inner.items() if self.index - key.index <= _LONGEST_KEY_IN_FLOW}
        self.possible_simple_keys.update(near)

    def fetch_flow_collection_start(self, token_class: Any) -> None:
        """Begin a list or object in brackets; the depth is counted here, for tokens are read far ahead."""
        if self.flow_level >= MAX_DEPTH:
            raise UnreadableError(Problem(self.line + 1, self.column + 1, TOO_DEEP))
        base: Any = super()
        base.fetch_flow_collection_start(token_class)

    def fetch_stream_end(self) -> None:
        """End the stream, where libyaml does: at the start of a line."""
        if self.column:
            self.line, self.column = self.line + 1, 0
        super().fetch_stream_end()

    def scan_to_next_token(self) -> None:
        """Skip spaces, comments and line breaks; tabs too, but not where they would indent."""
        while True:
            while self.peek() == " " or (self.peek() == "\t" and (self.flow_level or not self.allow_simple_key)):
                self.forward()
            self._take(_BLANK_LINE)
            if self.peek() == "#":
                self._take(_LINE)
            if not self._skip_line_break():
                return
            self.allow_simple_key = self.allow_simple_key or not self.flow_level

    # --- text

    def scan_plain(self) -> yaml.ScalarToken:
        """Scan plain text, which may go on over several lines."""
        chunks: list[str] = []
        spaces: list[str] = []
        start = end = self.get_mark()
        indent = self.indent + 1
        while self.peek() != "#" and not self._at_document_marker():
            piece = self._take(_PLAIN_IN_FLOW if self.flow_level else _PLAIN_IN_BLOCK)
            if not piece:
                break
            chunks += [*spaces, piece]
            end = self.get_mark()
            self.allow_simple_key = False
            spaces = self._plain_spaces(indent)
            if not spaces or (not self.flow_level and self.column < indent):
                break
        return yaml.ScalarToken("".join(chunks), True, start, end)

    def _plain_spaces(self, indent: int) -> list[str]:
        """Scan the spaces and line breaks within plain text; return what they mean."""
        spaces = self._take(_SPACES)
        if not self._skip_line_break():
            return [spaces] if spaces else []
        self.allow_simple_key = True
        breaks = []
        while self.peek() in " \t\r\n":
            self._take(_BLANK_LINE)
            if self.peek() == "\t" and self.column < indent:
                problem = "found a tab character that violates indentation"
                raise ScannerError(None, None, problem, self.get_mark())
            if self._skip_line_break():
                breaks.append("\n")
            else:
                self._take(_SPACES)
        return breaks or [" "]

    def scan_flow_scalar(self, style: str) -> yaml.ScalarToken:
        """Scan text in quotes; two escapes that are halves of one character are joined, as in JSON."""
        base: Any = super()
        token: yaml.ScalarToken = base.scan_flow_scalar(style)
        if not token.value.isascii():
            token.value = token.value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        return token

    def scan_flow_scalar_non_spaces(self, double: bool, start_mark: yaml.Mark) -> list[str]:
        """Scan a piece of text in quotes."""
        try:
            chunks: list[str] = super().scan_flow_scalar_non_spaces(double, start_mark)
        except (ValueError, OverflowError):  # chr() knows no such character
            problem = "found invalid Unicode character escape code"
            raise ScannerError(None, None, problem, self.get_mark()) from None
        return chunks

    def scan_block_scalar(self, style: str) -> yaml.ScalarToken:
        """Scan the text after | or >."""
        start = self.get_mark()
        self.forward()
        chomping, increment = self.scan_block_scalar_indicators(start)
        self.scan_block_scalar_ignored_line(start)
        lines, ended, end = self._block_lines(increment)
        kept = len(lines)
        while kept and not lines[kept - 1]:
            kept -= 1
        text = _folded(lines[:kept]) if style == ">" else "\n".join(lines[:kept])
        if kept and chomping is not False and (ended or kept < len(lines)):
            text += "\n"
        if chomping:
            text += "\n" * (len(lines) - kept)
        return yaml.ScalarToken(text, False, start, end, style)

    def scan_block_scalar_indicators(self, start_mark: yaml.Mark) -> tuple[bool | None, int | None]:
        """Scan what follows | or >: how its end is treated, and its indentation."""
        if self.peek() == "\t":  # allowed before a comment, but not known to PyYAML
            return None, None
        base: Any = super()
        found: tuple[bool | None, int | None] = base.scan_block_scalar_indicators(start_mark)
        return found

    def scan_block_scalar_ignored_line(self, start_mark: yaml.Mark) -> None:
        """Skip the rest of the line of | or >."""
        self._take(_SPACES)
        super().scan_block_scalar_ignored_line(start_mark)

    def _block_lines(self, increment: int | None) -> tuple[list[str], bool, yaml.Mark]:
        """Return the lines of a block, whether the last one has an end, and where the block ends."""
        least = max(self.indent + 1, 0)
        indent = None if increment is None else max(self.indent, 0) + increment
        lines: list[str] = []
        widest, ended, end = 0, True, self.get_mark()
        while self.peek() != "\0" and not self._at_document_marker():
            line = _LINE.match(self.buffer, self.pointer)[0]  # type: ignore[index]  # it always matches
            width = len(line) - len(line.lstrip(" "))
            is_blank = width == len(line)
            if indent is None and is_blank:
                widest = max(widest, width)
            elif indent is None:
                if line[width] == "\t" and width < least:
                    self.forward(width)
                    problem = "found a tab character where an indentation space is expected"
                    raise ScannerError(None, None, problem, self.get_mark())
                indent = max(least, width, widest)
            if indent is not None and not is_blank and width < indent:
                break
            lines.append("" if indent is None else line[indent:])
            self.forward(len(line))
            ended = self._skip_line_break()
            end = self.get_mark()
        return lines, ended, end

    # --- places

    def parse_flow_mapping_value(self) -> Any:
        """Parse the value in a flow mapping; the place of a missing one is after the spaces."""
        base: Any = super()
        return self._moved(base.parse_flow_mapping_value())

    def parse_flow_sequence_entry_mapping_value(self) -> Any:
        """Parse the value of a mapping without braces; the place of a missing one is after the spaces."""
        base: Any = super()
        return self._moved(base.parse_flow_sequence_entry_mapping_value())

    def _moved(self, event: Any) -> Any:
        if event.start_mark.index == event.end_mark.index:  # only a missing value is empty
            parser: Any = self
            event.start_mark = parser.peek_token().start_mark
        return event

    # --- characters

    def scan_directive(self) -> yaml.DirectiveToken:
        """Refuse a directive: the version of a first document is not shown to parsers."""
        start = self.get_mark()
        raise ScannerError(None, None, "found unknown directive name", start)

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


def _folded(lines: list[str]) -> str:
    """Join the lines of a text after >: single line breaks are spaces, except around lines that are indented more."""
    chunks: list[str] = []
    breaks = 0
    for line in lines:
        if not line:
            breaks += 1
            continue
        if not chunks:
            between = "\n" * breaks
        elif chunks[-1][0] in " \t" or line[0] in " \t":
            between = "\n" * (breaks + 1)
        else:
            between = "\n" * breaks or " "
        chunks += [between, line]
        breaks = 0
    return "".join(chunks)
