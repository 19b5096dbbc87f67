"""What a user may import: every type that a public method returns, or an attribute of such a type holds."""

import inspect
import typing
from typing import Any

import typing_extensions

import mockserver
from mockserver.checks.options import CheckOptions
from mockserver.model.settings import Settings
from mockserver.model.settings_keywords import SettingsKeywords
from mockserver.testing.check_target import CheckKeywords

#: What ``mockserver`` exports; a name that cannot be imported fails here.
PUBLIC = {name: getattr(mockserver, name) for name in mockserver.__all__}

#: Parts of a resource that the mock itself works with; what they show is in ``Resource.data`` and ``events``.
INSIDE = {"mockserver.script.model.Flow, from Resource.flow",
          "mockserver.vendor_api.flows.content.Content, from Resource.content"}  # fmt: skip


def types_in(hint: Any) -> set[type]:
    """The classes of this package in an annotation, however deep."""
    if isinstance(hint, type) and not typing.get_args(hint):
        return {hint} if hint.__module__.split(".")[0] == "mockserver" else set()
    return {found for part in typing.get_args(hint) if not isinstance(part, str) for found in types_in(part)}


def returned_by(owner: type) -> dict[str, set[type]]:
    """What the public members of a class give: methods, properties and annotated attributes."""
    given = {name: types_in(hint) for name, hint in typing.get_type_hints(owner).items() if not name.startswith("_")}
    for name, member in inspect.getmembers(owner):
        function = member.fget if isinstance(member, property) else member
        if not name.startswith("_") and inspect.isroutine(function) and hasattr(function, "__annotations__"):
            given[name] = types_in(
                typing.get_type_hints(function, localns={**vars(typing_extensions), **PUBLIC}).get("return")
            )
    return given


def test_what_a_public_method_returns_can_be_imported() -> None:
    """Also what is behind that: the answer of an attempt of a delivery."""
    missing = {
        f"{found.__module__}.{found.__qualname__}, from {owner.__name__}.{name}"
        for owner in PUBLIC.values()
        if isinstance(owner, type)
        for name, types in returned_by(owner).items()
        for found in types
        if found not in PUBLIC.values()
    }
    assert sorted(missing - INSIDE) == []


def test_each_setting_has_its_keyword() -> None:
    """The types of ``MockServer(...)`` are those that it takes, and so are those of checks."""
    assert set(SettingsKeywords.__annotations__) == set(Settings.__struct_fields__)
    given = set(CheckOptions.__struct_fields__) - {"url", "secret"}
    assert set(CheckKeywords.__annotations__) == given | {"path", "interface"}
