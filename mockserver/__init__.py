"""A test double for the Playgent webhooks API: the vendor's server in memory, and scripted, signed events.

The names below are the public Python API. They are imported when first used, so that ``import mockserver`` costs next
to nothing in a test suite that never starts a server.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mockserver.checks.model import Check, CheckResult, Finding, Judgement
    from mockserver.errors import (
        CheckError,
        DeliveryError,
        LoopRunningError,
        MockServerError,
        NobodySubscribedError,
        ScriptError,
        StartError,
        UsageError,
        WaitTimeoutError,
    )
    from mockserver.model.messages import AwaitContinue, Close, Exchange, ExchangeError, Pause, Request, Response
    from mockserver.model.records import Attempt, Delivery, Event
    from mockserver.model.settings import Settings
    from mockserver.model.signing import sign, verify
    from mockserver.model.targets import Target
    from mockserver.model.webhooks import Webhook
    from mockserver.replay.dispatcher import SendResult
    from mockserver.replay.report import Report, StepReport
    from mockserver.reports.check_report import CheckReport
    from mockserver.testing.mock_server import BackgroundReplay, ClockControl, MockServer, acheck, check
    from mockserver.vendor_api.calls import VendorCall
    from mockserver.vendor_api.flows.resource import Entered, FlowEventRecord, Resource

__version__ = "0.2.0"

#: By this the commands know that no other distribution has replaced this package.
_DISTRIBUTION = "playgent-mockserver"

#: The modules that the public names live in.
_NAMES = {
    "mockserver.checks.model": "Check CheckResult Finding Judgement",
    "mockserver.errors": (
        "CheckError DeliveryError LoopRunningError MockServerError NobodySubscribedError ScriptError StartError "
        "UsageError WaitTimeoutError"
    ),
    "mockserver.model.messages": "AwaitContinue Close Exchange ExchangeError Pause Request Response",
    "mockserver.model.records": "Attempt Delivery Event",
    "mockserver.model.settings": "Settings",
    "mockserver.model.signing": "sign verify",
    "mockserver.model.targets": "Target",
    "mockserver.model.webhooks": "Webhook",
    "mockserver.replay.report": "Report StepReport",
    "mockserver.replay.dispatcher": "SendResult",
    "mockserver.reports.check_report": "CheckReport",
    "mockserver.testing.mock_server": "BackgroundReplay ClockControl MockServer acheck check",
    "mockserver.vendor_api.calls": "VendorCall",
    "mockserver.vendor_api.flows.resource": "Entered FlowEventRecord Resource",
}
_HOME = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = [
    "Attempt",
    "AwaitContinue",
    "BackgroundReplay",
    "Check",
    "CheckError",
    "CheckReport",
    "CheckResult",
    "ClockControl",
    "Close",
    "Delivery",
    "DeliveryError",
    "Entered",
    "Event",
    "Exchange",
    "ExchangeError",
    "Finding",
    "FlowEventRecord",
    "Judgement",
    "LoopRunningError",
    "MockServer",
    "MockServerError",
    "NobodySubscribedError",
    "Pause",
    "Report",
    "Request",
    "Resource",
    "Response",
    "ScriptError",
    "SendResult",
    "Settings",
    "StartError",
    "StepReport",
    "Target",
    "UsageError",
    "VendorCall",
    "WaitTimeoutError",
    "Webhook",
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
