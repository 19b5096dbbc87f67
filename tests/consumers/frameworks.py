"""The consumer as an application object, by framework; each framework is imported when it is used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

_FACTORIES = {
    "flask": ("flask_app", "create_app"),
    "fastapi": ("fastapi_app", "create_app"),
    "aiohttp": ("aiohttp_app", "create_app"),
    "django wsgi": ("django_app", "create_app"),
    "django asgi": ("django_app", "create_asgi_app"),
}

#: For ``parametrize``: Django is for the full tier.
FRAMEWORKS = [
    pytest.param(name, marks=pytest.mark.full) if name.startswith("django") else pytest.param(name)
    for name in _FACTORIES
]


def create_app(framework: str, *arguments: Any) -> Any:
    """Make the application: see ``create_app`` of each consumer for what it takes."""
    module, factory = _FACTORIES[framework]
    return getattr(import_module(f"tests.consumers.{module}"), factory)(*arguments)
