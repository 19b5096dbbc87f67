"""Consumers with a verification of their own, and the examination of them by the diagnosis."""

from __future__ import annotations

import copy
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from aiohttp import web

from mockserver.checks.context import CheckContext
from mockserver.checks.diagnosis import diagnose
from mockserver.checks.model import Diagnosis
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.checks.signature_variants import make_distinctive
from mockserver.delivery.in_process.call import Call
from mockserver.model.events import Catalog
from mockserver.model.messages import Transport
from mockserver.model.records import Delivery
from mockserver.model.settings import Settings
from mockserver.server.mock import Mock
from tests.checks.directly import Directly, Respond
from tests.receiving import Answer, Received, consuming

#: It has all that the ways to misread a secret differ in: two underscores, capitals, a hyphen.
SECRET = "whsec_Consumer-Under_Test9"

Verify = Callable[[Received], bool]


def documented(body: bytes, secret: str = SECRET) -> str:
    """The signature that is right."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def is_genuine(received: Received) -> bool:
    """Whether a delivery is what the vendor sends."""
    return received.header("X-Playgent-Signature") == documented(received.body)


def keyed(key: bytes) -> Verify:
    """Verify as documented, but with another key."""
    return lambda received: (
        received.header("X-Playgent-Signature") == "sha256=" + hmac.new(key, received.body, hashlib.sha256).hexdigest()
    )


def answering(status: Callable[[Received], int]) -> Answer:
    """Answer with the status that this function gives."""

    async def answer(received: Received) -> web.Response:
        return web.Response(status=status(received))

    return answer


def verifying(verify: Verify, refusal: int = 401) -> Answer:
    """Answer as a consumer that verifies in its own way."""
    return answering(lambda received: 200 if verify(received) else refusal)


def telling_catalog(catalog: Catalog) -> Catalog:
    """The same event types, with samples in which all spellings of JSON differ."""
    types = []
    for event_type in catalog.all():
        data = copy.deepcopy(event_type.data)
        make_distinctive(data)
        types.append(msgspec.structs.replace(event_type, data=data))
    return Catalog(types)


class Examination:
    """A consumer, and what the diagnosis needs to examine it."""

    def __init__(self, url: str, service: Mock, **options: Any) -> None:
        request = CheckOptions(**{"url": f"{url}/hook", "secret": SECRET, "seed": 7, **options})
        self.context: CheckContext = prepare_check(service, request)._context

    @property
    def deliveries(self) -> list[Delivery]:
        """Every delivery that was made."""
        return self.context.deliveries

    async def diagnose(self, **options: Any) -> Diagnosis:
        """Make the control, and ask the diagnosis why it was refused."""
        control = await self.context.control(patient=False)
        assert not control.delivered
        return await diagnose(self.context, **options)


@asynccontextmanager
async def examining(
    answer: Answer, *, transport: Transport | None = None, tells: bool = False, **options: Any
) -> AsyncIterator[Examination]:
    """Serve a consumer that answers so, unless there is a transport to it, with a service beside it."""
    service = Mock(Settings(timeout=60), transport)
    if tells:
        service.catalog = telling_catalog(service.catalog)
    try:
        if transport is not None:
            yield Examination("http://127.0.0.1:80", service, **options)
            return
        async with consuming() as consumer:
            consumer.answer = answer
            yield Examination(consumer.url, service, **options)
    finally:
        await service.stop()


def responding(answer: Answer) -> Respond:
    """Respond as a consumer that answers so does."""

    async def respond(call: Call) -> None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in call.headers]
        made = await answer(Received(call.method, call.path.decode(), headers, call.request.body))
        given = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in made.headers.items()]
        call.begin(made.status, None, given)
        call.add(made.body if isinstance(made.body, bytes) else b"")
        call.end()

    return respond


async def diagnosed(answer: Answer, **options: Any) -> Diagnosis:
    """What the diagnosis says of a consumer that answers so."""
    async with examining(answer, transport=Directly(responding(answer)), **options) as examination:
        return await examination.diagnose()
