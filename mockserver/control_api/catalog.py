"""What can be sent: for editors and pages, before anything happens."""

from __future__ import annotations

from typing import Any

from mockserver import __version__
from mockserver.checks.registry import chosen_checks
from mockserver.control_api.operations import OPERATIONS
from mockserver.faults.fault import Fault
from mockserver.faults.registry import FAULTS
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.search import KEYS
from mockserver.script.package_files import bundled_scripts, read_bundled_script
from mockserver.server.mock import Mock


def catalog_view(mock: Mock) -> dict[str, Any]:
    """Return what can be sent: event types, faults, retry policies, bundled scripts, keys of searches, checks.

    Args:
        mock: Its settings and extra events count.
    """
    settings, catalog = mock.settings, mock.catalog
    documented = [
        {"event": each.event, "fires_when": each.fires_when, "documented": each.documented, "data": each.data}
        for each in catalog.all()
    ]
    extra = [{"event": name, "fires_when": "", "documented": False, "data": None} for name in settings.extra_events]
    return {
        "version": __version__,
        "speed": settings.speed,
        "strict": settings.strict,
        "events": [*documented, *extra],
        "faults": list(map(_fault_view, FAULTS.values())),
        "retries": list(map(_policy_view, catalog.policies.values())),
        "scripts": [{"name": name, "source": read_bundled_script(name).decode()} for name in bundled_scripts()],
        "operations": [operation.name for operation in OPERATIONS],
        "search": [{"key": key, "example": example, "doc": doc} for key, (example, doc) in KEYS.items()],
        "checks": [
            {"id": check.id, "name": check.name, "severity": check.severity, "sends": check.sends}
            for check in chosen_checks((), ())
        ],
    }


def _fault_view(fault: Fault) -> dict[str, Any]:
    parameters = [
        {"name": each.name, "doc": each.doc, "default": None if each.default is None else each.show(each.default)}
        for each in fault.parameters
    ]
    return {"name": fault.name, "layer": fault.layer, "doc": fault.doc, "forged": fault.forged,
            "parameters": parameters}  # fmt: skip


def _policy_view(policy: RetryPolicy) -> dict[str, Any]:
    return {"name": policy.name, "delays": list(policy.delays), "note": policy.note}
