"""What can be sent, and whether a script can be replayed: for editors and pages, before anything happens."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from mockserver import __version__
from mockserver.control_api.call import Call, json_answer
from mockserver.control_api.operations import OPERATIONS
from mockserver.faults.fault import Fault
from mockserver.faults.registry import FAULTS
from mockserver.model.retry_policies import RetryPolicy
from mockserver.model.search import KEYS
from mockserver.script.package_files import bundled_scripts, read_bundled_script
from mockserver.server.mock import Mock


class CatalogOperations:
    """What a mock can do.

    Args:
        mock: The mock.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def catalog(self, _: Call) -> web.Response:
        """Return what can be sent: event types, faults, retry policies, bundled scripts, keys of searches."""
        from mockserver.checks.registry import chosen_checks  # noqa: PLC0415 - few ask for it

        settings, catalog = self._mock.settings, self._mock.catalog
        documented = [
            {"event": each.event, "fires_when": each.fires_when, "documented": each.documented, "data": each.data}
            for each in catalog.all()
        ]
        extra = [{"event": name, "fires_when": "", "documented": False, "data": None} for name in settings.extra_events]
        return json_answer(
            {
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
        )

    async def validate(self, call: Call) -> web.Response:
        """Say how much a script would send; its problems are an error."""
        from mockserver.script.reader import read_script  # noqa: PLC0415 - as where scripts are replayed

        script = read_script(call.body, self._mock.catalog, "<script>")
        return json_answer({"planned": script.planned, "seconds": script.seconds})


def _fault_view(fault: Fault) -> dict[str, Any]:
    parameters = [
        {"name": each.name, "doc": each.doc, "default": None if each.default is None else each.show(each.default)}
        for each in fault.parameters
    ]
    return {"name": fault.name, "layer": fault.layer, "doc": fault.doc, "forged": fault.forged,
            "parameters": parameters}  # fmt: skip


def _policy_view(policy: RetryPolicy) -> dict[str, Any]:
    return {"name": policy.name, "delays": list(policy.delays), "note": policy.note}
