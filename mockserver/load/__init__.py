"""The same scripts as load, on Locust: :class:`WebhookUser`, and the ledger of what was sent, lost and doubled.

Write a ``locustfile.py`` with a subclass, then use Locust as usual: its web page, ``--headless``, ``--processes``,
``--master`` and ``--worker``. Needs the extra ``load`` (``pip install 'playgent-mockserver[load]'``).
"""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("locust") is None:
    raise ImportError("mockserver.load needs Locust: pip install 'playgent-mockserver[load]'")

from mockserver.load.ledger import Ledger
from mockserver.load.user import WebhookUser

__all__ = ["Ledger", "WebhookUser"]
