"""The text of a YAML file before it is parsed: that it is text at all, where its places are, and its escapes."""

from __future__ import annotations

import codecs
import re

from mockserver.errors import Problem

#: No source may have more bytes than this (16 MiB). A script of 10,000 steps has about one million.
MAX_BYTES = 16 * 1024 * 1024

#: Parsers compare each %TAG directive with all before it, so thousands of them take minutes.
_MAX_TAG_DIRECTIVES = 32

#: Putting surrogate pairs together costs more than reading them.
_MAX_SURROGATES = 400_000

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_FOREIGN_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_ALLOWED_BYTES = b"\t\n\r" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100))
# In UTF-8: U+0080 to U+009F, the line breaks of YAML 1.1 (U+2028, U+2029), U+FFFE and U+FFFF.
_FORBIDDEN_SEQUENCE = re.compile(rb"\xc2[\x80-\x9f]|\xe2\x80[\xa8\xa9]|\xef\xbf[\xbe\xbf]")
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_BREAK = re.compile("\r\n|[\r\n]")

_SURROGATE = re.compile(rb"\\(?:u|U0000)[dD][89a-fA-F]")
# An escape that stands for a surrogate or for U+FFFF; the group before it holds any escaped backslashes.
_ESCAPE = re.compile(r"(?<!\\)((?:\\\\)*\\(?:u|U0000))([dD][89a-fA-F][0-9a-fA-F]{2}|[fF]{4})")
_LONE_SURROGATE = re.compile("[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]")


class UnreadableError(Exception):
    """The source cannot be read any further.

    Args:
        problem: Why.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        super().__init__(problem.message)


class Source:
    r"""The checked text of a YAML file.

    JSON writes a character beyond U+FFFF as two escapes, a surrogate pair, and YAML parsers refuse or split these.
    Therefore the parser is given ``\uffff`` (as long, so that all places stay) in place of each half, and
    :meth:`restored` puts the halves back where they belong. U+FFFF itself cannot stand in a YAML file unescaped.

    Args:
        given: UTF-8 bytes, or text.

    Raises:
        UnreadableError: It is too large, not UTF-8, or has characters that YAML does not allow.
    """

    def __init__(self, given: bytes | str) -> None:
        self._bytes = _checked(given)
        self.has_surrogates = _SURROGATE.search(self._bytes) is not None
        self.parsed = self._hidden() if self.has_surrogates else self._bytes
        self._text: str | None = None

    @property
    def text(self) -> str:
        """The text as it was given, without a byte order mark; decoded when it is first asked for."""
        if self._text is None:
            self._text = self._bytes.decode()
        return self._text

    def place(self, index: int) -> tuple[int, int]:
        """Return line and column, both from 1, of the character with this index."""
        return _place(self.text[:index])

    def restored(self, value: str, style: str | None, start: int, end: int) -> str:
        """Return what a scalar really says, surrogates put back and pairs of them joined.

        Args:
            value: What the parser made of it.
            style: How it is written: a double quote, or anything else.
            start: Index of its first character.
            end: Index after its last character.

        Raises:
            ValueError: Half of a surrogate pair stands alone; the message says so to the script's author.
        """
        written = self.text[start:end]
        if style in ("|", ">"):  # its first line may end with a comment
            written = _LINE_BREAK.split(written, maxsplit=1)[-1]
        codes = (found[2] for found in _ESCAPE.finditer(written))
        if style == '"':
            return _joined(re.sub("\uffff", lambda _: chr(int(next(codes), 16)), value))
        return _ESCAPE.sub(lambda found: found[1] + next(codes, found[2]), value)

    def _hidden(self) -> bytes:
        if sum(1 for _ in _SURROGATE.finditer(self._bytes)) > _MAX_SURROGATES:
            message = (
                "the file has too many characters written as pairs of \\u escapes: write the characters themselves"
            )
            raise UnreadableError(Problem(0, 0, message))
        return _ESCAPE.sub(r"\1ffff", self._bytes.decode()).encode()


def _joined(value: str) -> str:
    lone = _LONE_SURROGATE.search(value)
    if lone is not None:
        raise ValueError(f"\\u{ord(lone[0]):04x} is half of a character: such escapes are only allowed in pairs")
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le")


def _checked(given: bytes | str) -> bytes:
    if len(given) > MAX_BYTES:
        raise UnreadableError(Problem(0, 0, f"the file is too large: at most {MAX_BYTES // 1024**2} MiB are read"))
    source = _utf8(given) if isinstance(given, str) else given
    for mark, name in _FOREIGN_MARKS:
        if source.startswith(mark):
            raise UnreadableError(Problem(0, 0, f"the file is written in {name}: save it as UTF-8"))
    source = source.removeprefix(codecs.BOM_UTF8)
    try:
        source.decode()
    except UnicodeDecodeError as error:
        message = f"byte 0x{source[error.start]:02x} is not UTF-8: save the file as UTF-8"
        raise UnreadableError(Problem(*_place(source[: error.start].decode()), message)) from None
    _check_characters(source)
    return source


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UnreadableError(_bad_character(text, error.start)) from None


def _check_characters(source: bytes) -> None:
    if source.translate(None, _ALLOWED_BYTES) or _FORBIDDEN_SEQUENCE.search(source):
        text = source.decode()
        found = _FORBIDDEN.search(text)
        assert found is not None  # noqa: S101 - both patterns describe the same characters
        raise UnreadableError(_bad_character(text, found.start()))
    if source.count(b"%TAG") > _MAX_TAG_DIRECTIVES and len(re.findall(rb"(?m)^%TAG", source)) > _MAX_TAG_DIRECTIVES:
        raise UnreadableError(Problem(0, 0, "the file has too many %TAG directives: tags are not supported"))


def _bad_character(text: str, index: int) -> Problem:
    code = ord(text[index])
    message = f"the character U+{code:04X} cannot stand in a YAML file"
    if not 0xD800 <= code <= 0xDFFF:
        message += f': remove it, or write it as "\\u{code:04x}" in double quotes'
    return Problem(*_place(text[:index]), message)


def _place(before: str) -> tuple[int, int]:
    lines = _LINE_BREAK.split(before)
    return len(lines), len(lines[-1]) + 1
