"""Searching the record and waiting for it, deliveries in brief for tables and charts, and deliveries as code."""

from __future__ import annotations

from itertools import islice
from typing import Any

import msgspec
from aiohttp import web

from mockserver.control_api.call import Call, error_answer, json_answer
from mockserver.control_api.operations import LONGEST_WAIT, MOST_BRIEF, MOST_LISTED
from mockserver.control_api.reading import number_of, read_seconds, read_whole
from mockserver.errors import UsageError
from mockserver.faults.registry import FAULTS
from mockserver.model.records import Delivery
from mockserver.model.redaction import Redactor
from mockserver.model.search import NearMiss, Search, nearest_misses, read_search
from mockserver.replay.search_wait import SearchTimeoutError, describe_miss, wait_for_search
from mockserver.reports.serializers import brief_view, delivery_view, timeline_view
from mockserver.server.mock import Mock
from mockserver.vendor_api.requests import ApiError


def search_of(text: str, mock: Mock) -> Search:
    """Read a search; event types and faults that do not exist are errors.

    Raises:
        UsageError: It cannot be read.
    """
    events = (*mock.catalog.names, *mock.settings.extra_events)
    return read_search(text, {"event": events, "fault": FAULTS})


def redactor_of(mock: Mock) -> Redactor:
    """Return what hides the secrets that a mock knows."""
    secrets = (webhook.secret for webhook in mock.webhooks.all())
    return Redactor.of(mock.settings, *secrets)


def known_delivery(call: Call, mock: Mock) -> Delivery:
    """Return the delivery that the path names.

    Raises:
        ApiError: It is not on record.
    """
    wanted = call.path["delivery_id"]
    number = number_of(wanted)
    delivery = None if number is None else mock.records.get(number)
    if delivery is None:
        raise ApiError(404, f"no delivery {wanted!r} is on record")
    return delivery


class DeliverySearch:
    """What finds deliveries.

    Args:
        mock: Whose record is searched.
    """

    def __init__(self, mock: Mock) -> None:
        self._mock = mock
        self._redactor = Redactor.of(mock.settings)

    async def latest_delivery(self, call: Call) -> web.Response:
        """Return the newest delivery that a search finds."""
        search = self._search(call)
        records = self._mock.records.all()
        newest = next((delivery for delivery in reversed(records) if search.matches(delivery)), None)
        if newest is not None:
            return json_answer(delivery_view(self._redactor.delivery(newest)))
        nearest = nearest_misses(search, records)
        message = "\n".join([f"no delivery matches {search.text!r}", *map(describe_miss, nearest)])
        return error_answer(404, message, nearest=list(map(_miss_view, nearest)))

    async def wait_for_deliveries(self, call: Call) -> web.Response:
        """Answer when enough deliveries match a search."""
        search = self._search(call)
        count = read_whole(call.query.get("count", "1"), "count", 1, MOST_LISTED)
        timeout = read_seconds(call.query.get("timeout", "5s"), "timeout")
        if timeout > LONGEST_WAIT:
            raise UsageError(f"timeout must be at most {LONGEST_WAIT:.0f} seconds, not {call.query['timeout']!r}")
        try:
            found = await wait_for_search(self._mock.records, search, count, timeout)
        except SearchTimeoutError as error:
            nearest = list(map(_miss_view, error.nearest))
            return error_answer(408, str(error), found=len(error.found), nearest=nearest)
        shown = found[:MOST_LISTED]
        return json_answer(
            {"count": len(found), "deliveries": [delivery_view(self._redactor.delivery(each)) for each in shown]}
        )

    async def brief_deliveries(self, call: Call) -> web.Response:
        """List deliveries in brief, the newest first."""
        search = self._search(call)
        limit = read_whole(call.query.get("limit", "1000"), "limit", 1, MOST_BRIEF)
        before = number_of(call.query["before"]) if "before" in call.query else None
        if before is None and "before" in call.query:
            raise UsageError(f"before must be the id of a delivery such as dlv_000001, not {call.query['before']!r}")
        records = reversed(self._mock.records.all())
        found = (each for each in records if (before is None or each.number < before) and search.matches(each))
        page = list(islice(found, limit))
        more = next(found, None) is not None
        return json_answer(
            {
                "deliveries": list(map(brief_view, page)),
                "next": page[-1].delivery_id if more else None,
                "on_record": len(self._mock.records),
                "dropped": self._mock.records.dropped,
            }
        )

    async def timeline(self, call: Call) -> web.Response:
        """Return deliveries with the moments of their attempts."""
        search = self._search(call)
        limit = read_whole(call.query.get("limit", "1000"), "limit", 1, MOST_BRIEF)
        replay_id = call.query.get("replay_id")
        if replay_id is None:
            records = self._mock.records.all()
        elif running := self._mock.replays.get(replay_id):
            records = running.report.deliveries
        else:
            raise ApiError(404, f"there is no replay {replay_id!r}, or it was forgotten")
        found = [delivery for delivery in records if search.matches(delivery)]
        shown = found[-limit:]
        return json_answer({"deliveries": list(map(timeline_view, shown)), "left_out": len(found) - len(shown)})

    async def snippets(self, call: Call) -> web.Response:
        """Return a delivery as code."""
        # Imported when used: they write code, and few ask for it.
        from mockserver.reports.evidence import curl_of, why_no_curl  # noqa: PLC0415 - start-up does without
        from mockserver.reports.snippets import hide_in, signature_of, snippets_of  # noqa: PLC0415 - start-up does without

        delivery, redactor = known_delivery(call, self._mock), redactor_of(self._mock)
        event = self._mock.catalog.get(delivery.event.type)
        webhook = self._mock.webhooks.get(delivery.webhook_id)
        clean = redactor.delivery(delivery)
        code = snippets_of(delivery, event.data if event else None, curl_of(clean), why_no_curl(clean))
        signature = signature_of(delivery, webhook.secret if webhook else None)
        return json_answer({**hide_in(code, redactor), "signature": msgspec.to_builtins(signature)})

    def _search(self, call: Call) -> Search:
        return search_of(call.query.get("q", ""), self._mock)


def _miss_view(miss: NearMiss) -> dict[str, Any]:
    return {
        "delivery_id": miss.delivery.delivery_id,
        "event": miss.delivery.event.type,
        "outcome": miss.delivery.outcome,
        "reasons": list(miss.reasons),
    }
