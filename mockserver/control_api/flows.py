"""What calls of the vendor API have made, and the flows that say what becomes of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from aiohttp import web

from mockserver.control_api.call import Call, json_answer
from mockserver.control_api.operations import KINDS, RESOURCE_STATES
from mockserver.errors import UsageError
from mockserver.model.wording import listed
from mockserver.reports.serializers import resource_view
from mockserver.server.mock import Mock
from mockserver.vendor_api.requests import ApiError

if TYPE_CHECKING:
    from mockserver.vendor_api.flows.creation import Rule
    from mockserver.vendor_api.flows.resource import Resource


class FlowOperations:
    """The resources and flows of a mock.

    Args:
        mock: The mock.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock

    async def resources(self, call: Call) -> web.Response:
        """List resources."""
        kind = _one_of(call, "kind", KINDS)
        state = _one_of(call, "state", RESOURCE_STATES)
        kept = self._mock.flows.resources
        account = call.account
        shown = [
            each
            for each in kept
            if kind in (None, each.kind) and state in (None, each.state) and account in (None, each.account)
        ]
        return json_answer({"resources": list(map(resource_view, shown)), "dropped": kept.dropped})

    async def resource(self, call: Call) -> web.Response:
        """Return a resource."""
        return json_answer(resource_view(self._resource(call)))

    async def advance_resource(self, call: Call) -> web.Response:
        """Move a resource one state on."""
        return json_answer(resource_view(self._mock.flows.advance(self._resource(call).resource_id)))

    async def flows(self, call: Call) -> web.Response:
        """List flows."""
        account = call.account
        return _flows(rule for rule in self._mock.flows.rules.all() if account is None or rule.account in ("", account))

    async def install_flows(self, call: Call) -> web.Response:
        """Add flows."""
        # Imported when used: YAML takes a tenth of the server's start-up time, and many need only the vendor API.
        from mockserver.script.reader import read_flows  # noqa: PLC0415 - start-up does without

        read = read_flows(call.body, self._mock.catalog, extra_events=self._mock.settings.extra_events)
        return _flows(self._mock.flows.rules.install(read, account=call.account or ""), 201)

    async def forget_flows(self, call: Call) -> web.Response:
        """Forget every flow."""
        self._mock.flows.rules.clear(call.account)
        return web.Response(status=204)

    def _resource(self, call: Call) -> Resource:
        wanted = call.path["resource_id"]
        resource = self._mock.flows.resources.find(wanted)
        if resource is None:
            raise ApiError(404, f"there is no resource {wanted!r}, or it is no longer on record")
        return resource


def _flows(rules: Iterable[Rule], status: int = 200) -> web.Response:
    return json_answer({"flows": list(map(_rule_view, rules))}, status)


def _rule_view(rule: Rule) -> dict[str, Any]:
    flow = rule.flow
    return {
        "flow": flow.written,
        "source": f"{flow.source}:{flow.line}",
        "used": rule.used,
        "left": None if flow.times is None else max(flow.times - rule.used, 0),
        "standing": rule.standing,
    }


def _one_of(call: Call, name: str, allowed: tuple[str, ...]) -> str | None:
    value = call.query.get(name)
    if value is not None and value not in allowed:
        raise UsageError(f"{name} must be {listed(allowed)}, not {value[:60]!r}")
    return value
