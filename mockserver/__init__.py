"""A test double for the Playgent webhooks API: the vendor's server in memory, and scripted, signed events.

The names below are the public Python API. They are imported when first used, so that ``import mockserver`` costs next
to nothing in a test suite that never starts a server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.checks.model import CheckReport
    from mockserver.errors import (
        CheckError,
        DeliveryError,
        LoopRunningError,
        MockServerError,
        ScriptError,
        StartError,
        UsageError,
        WaitTimeoutError,
    )
    from mockserver.model.signing import sign, verify
    from mockserver.testing.consumer_check import acheck, check
    from mockserver.testing.mock_server import MockServer

__version__ = "0.1.0"

_HOME = {
    "CheckError": "mockserver.errors",
    "CheckReport": "mockserver.checks.model",
    "DeliveryError": "mockserver.errors",
    "LoopRunningError": "mockserver.errors",
    "MockServer": "mockserver.testing.mock_server",
    "MockServerError": "mockserver.errors",
    "ScriptError": "mockserver.errors",
    "StartError": "mockserver.errors",
    "UsageError": "mockserver.errors",
    "WaitTimeoutError": "mockserver.errors",
    "acheck": "mockserver.testing.consumer_check",
    "check": "mockserver.testing.consumer_check",
    "sign": "mockserver.model.signing",
    "verify": "mockserver.model.signing",
}

__all__ = [
    "CheckError",
    "CheckReport",
    "DeliveryError",
    "LoopRunningError",
    "MockServer",
    "MockServerError",
    "ScriptError",
    "StartError",
    "UsageError",
    "WaitTimeoutError",
    "__version__",
    "acheck",
    "check",
    "sign",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
