"""From the bytes of a script to a tree of nodes: JSON by the rules of JSON, anything else as YAML."""

from __future__ import annotations

from mockserver.model.fields import Reading, TooManyProblemsError
from mockserver.model.nodes import Node
from mockserver.script.json_reader import read_json
from mockserver.script.source import UnreadableError, decoded
from mockserver.script.yaml_parsers import HAS_LIBYAML
from mockserver.script.yaml_reader import read_yaml


def read_tree(source: bytes | str, reading: Reading, *, libyaml: bool = HAS_LIBYAML) -> Node | None:
    """Read a YAML or JSON text. Never raises, whatever it holds.

    Args:
        source: UTF-8 bytes, or text.
        reading: Where everything that is wrong is noted, in the order of the text.
        libyaml: Whether libyaml may read it; the results are the same without.

    Returns:
        The text's value. It is there even when there are problems, as long as the text could be read to its end, so
        that more can be found; None otherwise.
    """
    try:
        text = decoded(source)
        node = read_json(text, reading)
        return read_yaml(text, reading, libyaml=libyaml) if node is None else node
    except UnreadableError as stop:
        reading.problems.append(stop.problem)
    except TooManyProblemsError:
        pass  # the last of them says so
    return None
