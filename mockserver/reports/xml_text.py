"""Text of others in XML."""

from __future__ import annotations

import re

#: What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str) -> str:
    """Return a text with U+FFFD for each character that XML cannot hold: control characters, half surrogate pairs."""
    return _NOT_XML.sub("\ufffd", text)
