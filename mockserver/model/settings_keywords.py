"""The settings of a mock as keyword arguments, for type checkers; ``serve`` starts without them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from mockserver.model.settings import Accounts, JsonStyle, Speed


class SettingsKeywords(TypedDict, total=False):
    """The fields of :class:`Settings` as keyword arguments, for type checkers; any of them may be left out."""

    host: str
    port: int
    tls: bool
    api_keys: Sequence[str]
    accounts: Accounts
    strict: bool
    created_status: int
    rate_limit: int
    enforce_rate_limit: bool
    timeout: float
    json_style: JsonStyle
    user_agent: str
    headers: Mapping[str, str] | Sequence[str]
    seed: int
    speed: Speed
    retry: str | Sequence[float | str]
    allow_hosts: Sequence[str]
    allow_http_hosts: Sequence[str]
    control_hosts: Sequence[str]
    ca_file: str | None
    extra_events: Sequence[str]
    strict_deliveries: bool
    max_webhooks: int
    max_request_bytes: int
    max_resources: int
    max_deliveries: int
    max_recorded_bytes: int
    max_requests: int
    max_concurrency: int
