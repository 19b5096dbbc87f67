"""The events of a flow: steps of a small script, whose data is that of the resource."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zlib import crc32

import msgspec

from mockserver.model.events import Catalog, PathError, change_sample
from mockserver.script.expressions import TemplateError
from mockserver.script.model import EventStep, Flow, FlowEvent, Script
from mockserver.script.templates import DataTemplate, Moment
from mockserver.vendor_api.flows.resource import Resource


class BoundData(DataTemplate):
    """The data of a flow's event: templates over the request and the resource, which are known now.

    Args:
        event: The event.
        base: What its changes are made to, where it is not exact.
        more: The values of ``request`` and ``resource``.
    """

    def __init__(self, event: FlowEvent, base: Mapping[str, Any], more: Mapping[str, Any]) -> None:
        super().__init__({}, {})
        self._event = event
        self._base = base
        self._more = more

    @property
    def source(self) -> Mapping[str, Any]:
        """The data without its changes."""
        return self._base

    @property
    def constant(self) -> bool:
        """Whether every event has the same data, made without a rendering: no."""
        return False

    def render(self, moment: Moment) -> Mapping[str, Any]:
        """Return the data of one event.

        Raises:
            TemplateError: An expression fails, such as one over a field that the request does not have, or a change
                names a place that the data does not have.
        """
        moment = msgspec.structs.replace(moment, more=self._more)
        if self._event.exact:
            return self._event.step.data.render(moment)
        override = self._event.override.render(moment) if self._event.override else {}
        try:
            return change_sample(self._base, override, self._event.remove)
        except PathError as error:
            raise TemplateError(str(error)) from None


def script_of(resource: Resource, flow: Flow, catalog: Catalog, seed: str) -> Script:
    """Return the events of a flow as a script.

    Args:
        resource: What they are about.
        flow: The rule, which has events.
        catalog: The event types, for events that are not about the resource.
        seed: Makes their generated values repeatable.
    """
    more = {"request": resource.request, "resource": resource.data}
    steps = tuple(_bound(event, resource, catalog, more) for event in flow.events or ())
    return Script(
        source=flow.source,
        name=f"{resource.on} {resource.resource_id}",
        seed=crc32(f"{seed}/{resource.resource_id}".encode()),
        webhook=flow.webhook,
        retry=flow.retry,
        steps=steps,
    )


def _bound(event: FlowEvent, resource: Resource, catalog: Catalog, more: Mapping[str, Any]) -> EventStep:
    name = event.step.event
    base = resource.content.event_data(name, resource.state)
    if base is None:
        sample = catalog.get(name)
        base = sample.data if sample else {}
    return msgspec.structs.replace(event.step, data=BoundData(event, base, more))
