"""The ledger as a tab of Locust's web page, and as ``/ledger.json``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from locust.web import WebUI

from mockserver.load.ledger import Ledger

_KEY = "webhook-ledger"
_COLUMNS = (("user", "User"), ("what", "What"), ("value", "Value"))


def add_tab(web_ui: WebUI, ledgers: Callable[[], list[Ledger]]) -> None:
    """Add the tab.

    Args:
        web_ui: Locust's web page, from its event ``init``.
        ledgers: Gives the ledgers as they are now, while the load runs and when it has ended.
    """
    structure = [{"key": key, "title": title} for key, title in _COLUMNS]
    web_ui.template_args["extended_tabs"] = [
        *web_ui.template_args.get("extended_tabs", ()),
        {"title": "Ledger", "key": _KEY},
    ]
    web_ui.template_args["extended_tables"] = [
        *web_ui.template_args.get("extended_tables", ()),
        {"key": _KEY, "structure": structure},
    ]

    def with_ledgers(response: Any) -> Any:
        from flask import request  # noqa: PLC0415 - Locust brings it, and only its web page needs it

        if request.path.endswith("/stats/requests") and response.json is not None:
            rows = [
                {"user": ledger.user, "what": what, "value": value}
                for ledger in ledgers()
                for what, value in ledger.rows()
            ]
            shown = [*response.json.get("extended_stats", ()), {"key": _KEY, "data": rows}]
            response.set_data(json.dumps({**response.json, "extended_stats": shown}))
        return response

    def as_json() -> Any:
        from flask import jsonify  # noqa: PLC0415 - as above

        return jsonify([ledger.as_json() for ledger in ledgers()])

    assert web_ui.app is not None  # noqa: S101 - it has one once it was made
    web_ui.app.after_request(with_ledgers)
    web_ui.app.add_url_rule("/ledger.json", "ledger_json", web_ui.auth_required_if_enabled(as_json))
