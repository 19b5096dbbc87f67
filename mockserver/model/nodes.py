"""A YAML or JSON file as a tree in which every value and every key knows its place."""

from __future__ import annotations

from typing import Any

import msgspec


class Node(msgspec.Struct, gc=False):
    """One value of a file.

    In place of an alias, the tree holds the very node of the anchor: it is shared, not copied, and its place is
    the anchor's.

    Args:
        line: The line where the value starts, counted from 1.
        column: The column where it starts, in characters, counted from 1.
        value: The value. Lists hold nodes, objects hold members.
    """

    line: int
    column: int
    value: bool | int | float | str | list[Node] | dict[str, Member] | None

    def plain(self) -> Any:
        """Return the value as plain Python: None, bool, int, float, str, list or dict, and nothing else within.

        The trees of the script reader are limited in depth and size, aliases
        written out, so this ends soon and in little memory.
        """
        value = self.value
        if isinstance(value, dict):
            return {key: member.node.plain() for key, member in value.items()}
        if isinstance(value, list):
            return [item.plain() for item in value]
        return value


class Member(msgspec.Struct, gc=False):
    """One key of an object with its value.

    Args:
        key_line: The line where the key starts, counted from 1.
        key_column: The column where the key starts, in characters, counted from 1.
        node: The value.
    """

    key_line: int
    key_column: int
    node: Node
