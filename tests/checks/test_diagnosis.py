"""The diagnosis of why a consumer refuses what is right: each consumer has one mistake; the connections are real."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from aiohttp import web

from mockserver.checks.diagnosis import MOST_DELIVERIES
from mockserver.checks.options import CheckOptions, prepare_check
from mockserver.checks.signature_variants import PAIRS, SINGLE_FORMS, WRONG_FORMS, Signed, WrongForm, distinct
from mockserver.delivery.in_process import read_destination
from mockserver.model.messages import Exchange, Request, Response
from mockserver.model.redaction import Redactor
from mockserver.model.settings import Settings
from mockserver.reports.evidence import evidence_text
from mockserver.server.mock import Mock
from tests.checks.checked import explanation_of, wire_of
from tests.checks.examined import SECRET, answering, diagnosed, documented, examining, is_genuine, keyed, verifying
from tests.checks.misreadings import MISREADINGS, H
from tests.receiving import Received, statuses
from tests.tables import each_row

WITHOUT_PREFIX = b"Consumer-Under_Test9"
FORMS = {form.name: form for form in WRONG_FORMS}


def shows_in_ordinary_events(name: str, secret: str) -> bool:
    """Whether a form is another than the right one in an event without anything special."""
    body = b'{"event":"run.completed","timestamp":"2024-12-16T10:00:00Z","data":{"run_id":"run_1","cost":0.5}}'
    return bool(distinct([FORMS[name]], Signed(body), secret))


# ---------------------------------------------------------------- each wrong form


def test_each_form_has_a_consumer() -> None:
    assert set(MISREADINGS) == {form.name for form in SINGLE_FORMS}


@each_row("part", range(8))
async def test_the_mistake_is_named(part: int) -> None:
    """The diagnosis names the very mistake of a consumer, with two wrong deliveries that it accepted as the proof."""
    for name, (accepts, secret) in list(MISREADINGS.items())[part::8]:
        tells = not shows_in_ordinary_events(name, secret)
        answer = verifying(partial(_accepts, accepts, secret))
        diagnosis = await diagnosed(answer, secret=secret, tells=tells)
        assert diagnosis.explanation == f"it {FORMS[name].mistake}", name
        assert diagnosis.fix, name
        assert [delivery.delivered for delivery in diagnosis.evidence] == [True, True], name
        assert diagnosis.evidence[0].faults == diagnosis.evidence[1].faults != (), name


def _accepts(accepts: Callable[[Received, str], bool], secret: str, received: Received) -> bool:
    return accepts(received, secret)


@pytest.mark.parametrize(
    "form",
    [*PAIRS[:4], *(pytest.param(form, marks=pytest.mark.full) for form in PAIRS[4:])],
    ids=lambda form: form.name,
)
async def test_two_mistakes_are_named_together(form: WrongForm) -> None:
    def accepts(received: Received) -> bool:
        expected = form.sign(Signed(received.body), SECRET)
        return all(received.header(name) == value for name, value in expected or ())

    diagnosis = await diagnosed(verifying(accepts))
    first, second = (FORMS[name] for name in form.name.split("+"))
    assert diagnosis.explanation.startswith(f"it {first.mistake}, and {second.mistake}")
    assert first.fix in diagnosis.fix
    assert second.fix in diagnosis.fix


async def test_an_application_in_this_process_is_diagnosed_too() -> None:
    """A WSGI application needs no address to be examined."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        expected = documented(body, "undefined")
        right = environ.get("HTTP_X_PLAYGENT_SIGNATURE") == expected
        start_response("200 OK" if right else "401 Unauthorized", [("Content-Length", "0")])
        return [b""]

    service = Mock(Settings(timeout=60))
    service.route("https://your-app.com", read_destination(app))
    try:
        request = CheckOptions(url="https://your-app.com/hook", secret=SECRET, only=("control",), diagnose=True)
        report = await prepare_check(service, request).run()
    finally:
        await service.stop()
        service.apps.settle()
    assert explanation_of(report) == "it has no secret: it verifies with the word `undefined`"


# ---------------------------------------------------------------- not misled


async def test_another_secret_is_not_a_mistake_that_is_known() -> None:
    """Where no form is accepted the diagnosis says so, and how to go on; nothing counts as evidence."""
    async with examining(verifying(keyed(b"quite another secret"))) as examination:
        diagnosis = await examination.diagnose()
        assert diagnosis.explanation.startswith(
            f"not found: it expects none of the {diagnosis.tried} usual wrong forms"
        )
        assert diagnosis.tried > 100
        assert len(examination.deliveries) <= MOST_DELIVERIES + 1
    assert "SHA-256 of its secret" in diagnosis.fix
    assert diagnosis.evidence == ()


async def test_a_consumer_that_refuses_everything_is_not_explained() -> None:
    """A consumer that answers 401 whatever comes makes none of the mistakes."""
    assert (await diagnosed(verifying(lambda _: False))).explanation.startswith("not found")


async def test_an_inverted_condition_is_reported() -> None:
    """For a consumer that accepts whatever is not genuine the diagnosis says that, and names no wrong form."""
    diagnosis = await diagnosed(verifying(lambda received: not is_genuine(received)))
    assert "accepts anything but what is genuine" in diagnosis.explanation
    assert "inverted" in diagnosis.fix
    assert diagnosis.tried == 0


@pytest.mark.parametrize("accepted", [1, 2])
async def test_answers_that_are_not_consistent_are_reported(accepted: int) -> None:
    """One random signature is accepted and another is not, in whichever order."""
    forgeries: list[Received] = []

    def is_accepted(received: Received) -> bool:
        if is_genuine(received):
            return False
        forgeries.append(received)
        return len(forgeries) == accepted

    diagnosis = await diagnosed(verifying(is_accepted))
    assert diagnosis.explanation.startswith("it accepts one random signature and refuses another")
    assert len(diagnosis.evidence) == 1


async def test_a_header_in_which_anything_goes_is_reported() -> None:
    diagnosis = await diagnosed(verifying(lambda received: bool(received.header("X-Signature"))))
    assert diagnosis.explanation == (
        "it reads the signature from the header `X-Signature`, and accepts a random one there as well"
    )
    assert diagnosis.evidence[0].faults == ("forged header X-Signature",)


async def test_unsigned_events_that_are_accepted_mislead_no_one() -> None:
    """For a consumer with a wrong secret that accepts unsigned events the diagnosis says both."""
    stripped = keyed(WITHOUT_PREFIX)
    diagnosis = await diagnosed(verifying(lambda received: received.header(H) is None or stripped(received)))
    assert diagnosis.explanation == (
        "it uses the secret without its prefix `whsec_`; and it accepts events without any signature"
    )


async def test_unsigned_events_that_are_accepted_are_reported_without_a_mistake_too() -> None:
    diagnosis = await diagnosed(verifying(lambda received: received.header(H) is None))
    assert diagnosis.explanation.startswith("not found")
    assert diagnosis.explanation.endswith("it accepts events without any signature")


async def test_the_mistake_is_found_behind_another_failure() -> None:
    """For a consumer that verifies with a wrong key, and then fails, the diagnosis names the key, and more."""
    stripped = keyed(WITHOUT_PREFIX)
    diagnosis = await diagnosed(answering(lambda received: 500 if stripped(received) else 401))
    assert diagnosis.explanation == (
        "it uses the secret without its prefix `whsec_`; what is signed so passes, and is then answered 500 for another"
        " reason"
    )


async def test_what_a_malformed_header_is_answered_is_no_mistake() -> None:
    """A consumer that answers forms that it cannot read in another way does not verify those for the diagnosis."""

    def status(received: Received) -> int:
        value = received.header(H)
        if value is None:
            return 403
        return 401 if value.startswith("sha256=") and len(value) == 71 else 400

    assert (await diagnosed(answering(status))).explanation.startswith("not found")


async def test_what_looks_alike_by_chance_is_not_mistaken() -> None:
    """Base64 and its URL-safe form write one digest in four alike: the right one of the two is named all the same."""
    accepts = MISREADINGS["base64url_bare"].accepts
    for seed in range(12):
        diagnosis = await diagnosed(verifying(lambda received: accepts(received, SECRET)), seed=seed)
        assert diagnosis.explanation == f"it {FORMS['base64url_bare'].mistake}", f"seed {seed}"


async def test_answers_that_never_repeat_are_compared_by_their_status() -> None:
    """A consumer whose refusals all differ is diagnosed all the same, though its mistake is one of the last."""
    accepts = MISREADINGS["key_and_body_swapped"].accepts

    async def answer(received: Received) -> web.Response:
        trace = base64.b64encode(hashlib.sha256(received.body).digest()).decode().translate({43: "Q", 47: "Z"})
        letters = "".join(char for char in trace if char.isalpha())
        return web.Response(status=200 if accepts(received, SECRET) else 401, text=letters)

    assert (await diagnosed(answer)).explanation == f"it {FORMS['key_and_body_swapped'].mistake}"


# ---------------------------------------------------------------- other reasons


@pytest.mark.parametrize(
    ("status", "what"), [(500, "breaks when it handles the event"), (400, "refuses the event itself")]
)
async def test_a_right_signature_is_not_blamed(status: int, what: str) -> None:
    """A consumer that refuses wrong signatures in another way than right ones verifies well."""
    diagnosis = await diagnosed(answering(lambda received: status if is_genuine(received) else 401))
    assert diagnosis.explanation.startswith(
        f"the signature is not the reason: a random one is answered 401, the right one answered {status}"
    )
    assert what in diagnosis.explanation
    assert diagnosis.tried == 0


async def test_the_text_of_an_answer_separates_right_from_wrong_too() -> None:
    """A consumer that answers 400 to everything, but with other words to the right signature, verifies well."""

    async def answer(received: Received) -> web.Response:
        return web.json_response({"error": "no such run" if is_genuine(received) else "signature"}, status=400)

    assert (await diagnosed(answer)).explanation.startswith("the signature is not the reason")


async def test_only_some_event_types_are_taken() -> None:
    """For a consumer that refuses one event type and verifies the others the diagnosis says which."""
    types = ("run.failed", "evaluation.completed")
    diagnosis = await diagnosed(verifying(lambda received: is_genuine(received) and received.event in types, 422))
    assert diagnosis.explanation == (
        "it accepts run.failed, evaluation.completed, and refuses run.completed: the signature is not the reason"
    )


async def test_event_types_that_no_one_verifies_prove_nothing() -> None:
    """An event type that is accepted with any signature does not clear the signature."""
    stripped = keyed(WITHOUT_PREFIX)
    diagnosis = await diagnosed(verifying(lambda received: received.event == "run.failed" or stripped(received)))
    assert diagnosis.explanation == "it uses the secret without its prefix `whsec_`"


@each_row(
    ("status", "words"),
    [
        (404, "nothing handles events"),
        (405, "does not accept POST"),
        (413, "too large"),
        (429, "limits"),
        (502, "proxy"),
    ],
)
async def test_an_answer_that_speaks_for_itself(status: int, words: str) -> None:
    """Statuses that have nothing to do with signatures are explained, and nothing more is sent."""
    async with examining(verifying(lambda _: False, status)) as examination:
        diagnosis = await examination.diagnose()
        assert len(examination.deliveries) == 1
    assert words in diagnosis.explanation
    assert diagnosis.fix


async def test_a_redirect_is_shown_with_where_it_leads() -> None:
    async def answer(_: Received) -> web.Response:
        return web.Response(status=307, headers={"Location": "/hook/"})

    diagnosis = await diagnosed(answer)
    assert diagnosis.explanation == "it answers 307: it redirects to /hook/"
    assert "register /hook/" in diagnosis.fix


async def test_another_content_type_is_tried() -> None:
    """For a consumer that answers 415 the diagnosis says which Content-Type it would take."""
    diagnosis = await diagnosed(verifying(lambda received: received.header("Content-Type") == "text/plain", 415))
    assert diagnosis.explanation == "it accepts events only as `text/plain`, not as `application/json`"
    assert (await diagnosed(verifying(lambda _: False, 415))).explanation.startswith("it answers 415")


@each_row(
    ("response", "hint"),
    [
        ({"status": 401, "headers": {"WWW-Authenticate": "Bearer"}}, "asks for a login"),
        ({"status": 403, "text": "<html></html>", "content_type": "text/html"}, "an HTML page"),
        ({"status": 422}, "may refuse the payload before it verifies"),
        ({"status": 500}, "may break before it verifies"),
    ],
)
async def test_what_else_may_be_the_reason_is_said(response: dict[str, Any], hint: str) -> None:
    """Where no form explains the refusal, the diagnosis says what the answer hints at."""

    async def answer(_: Received) -> web.Response:
        return web.Response(**response)

    diagnosis = await diagnosed(answer)
    assert diagnosis.explanation.startswith("not found")
    assert hint in diagnosis.explanation


# ---------------------------------------------------------------- limits


@pytest.mark.parametrize("refused", [1, 15])
async def test_a_consumer_that_changes_its_mind_is_given_no_mistake(refused: int) -> None:
    """What suddenly accepts everything makes none of the mistakes that were just tried."""
    diagnosis = await diagnosed(await statuses(*[401] * refused))
    assert "answers are not consistent" in diagnosis.explanation
    assert diagnosis.evidence == ()


async def test_a_consumer_that_hangs_is_reported() -> None:
    """Without an answer to the control nothing is tried."""
    never = asyncio.Event()

    async def answer(_: Received) -> web.Response:
        await never.wait()
        return web.Response()

    async with examining(answer) as examination:
        examination.context.timeout = 0.05
        diagnosis = await examination.diagnose()
        assert len(examination.deliveries) == 1
    assert diagnosis.explanation.startswith("it gave no answer")


async def test_the_time_is_limited() -> None:
    """A consumer that lets every forgery wait is not waited for longer than was said."""
    never = asyncio.Event()

    async def answer(received: Received) -> web.Response:
        if not is_genuine(received):
            await never.wait()
        return web.Response(status=401)

    async with examining(answer) as examination:
        diagnosis = await examination.diagnose(seconds=0.3)
    assert "time ran out" in diagnosis.explanation


@pytest.mark.parametrize(("status", "words"), [(429, "it answers 429"), (0, "it is gone after")])
async def test_it_stops_when_the_consumer_has_enough(status: int, words: str) -> None:
    """A consumer that begins to limit, or is gone, gets no more deliveries."""
    seen = []

    async def answer(received: Received) -> web.Response:
        seen.append(received)
        if len(seen) == 20 and not status:
            examination.context.target = examination.context.target.parse("http://127.0.0.1:1/")
        return web.Response(status=status if status and len(seen) > 20 else 401)

    async with examining(answer) as examination:
        diagnosis = await examination.diagnose()
        assert 20 <= len(seen) <= 21
    assert words in diagnosis.explanation


class Elsewhere:
    """A transport that says that it was connected to certain addresses, one after another."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = list(addresses)

    async def exchange(self, request: Request, timeout: float) -> Exchange:  # noqa: ARG002 - what every transport takes
        address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        return Exchange(Response(401), address=address)

    async def close(self) -> None:
        """There is nothing to close."""


@each_row("address", ["93.184.216.34:443", "[2606:2800::1]:443", "169.254.169.254:80", ""])
async def test_nothing_is_tried_on_public_addresses(address: str) -> None:
    """An address that is not private gets no delivery but the control, even where it is allowed."""
    async with examining(verifying(lambda _: False), transport=Elsewhere(address)) as examination:
        diagnosis = await examination.diagnose()
        assert len(examination.deliveries) == 1
    assert "private addresses only" in diagnosis.explanation


@each_row("address", ["127.0.0.1:80", "[::1]:80", "10.1.2.3:80", "[fd00::1]:80"])
async def test_private_addresses_are_examined(address: str) -> None:
    async with examining(verifying(lambda _: False), transport=Elsewhere(address)) as examination:
        assert (await examination.diagnose()).tried > 100


async def test_it_stops_when_the_name_leads_elsewhere() -> None:
    """A name that leads to a public address in the midst of it gets no second delivery there."""
    transport = Elsewhere(*["127.0.0.1:80"] * 12, "93.184.216.34:80")
    async with examining(verifying(lambda _: False), transport=transport) as examination:
        diagnosis = await examination.diagnose()
        assert len(examination.deliveries) == 13
    assert "93.184.216.34 now" in diagnosis.explanation


async def test_no_form_of_the_secret_is_sent() -> None:
    """Neither the secret nor anything that was made of it, but digests, is in any request, nor in the diagnosis."""
    async with examining(verifying(lambda _: False)) as examination:
        diagnosis = await examination.diagnose()
        wire = b"".join(wire_of(delivery) for delivery in examination.deliveries).lower()
        told = f"{diagnosis.explanation} {diagnosis.fix} {[each.faults for each in examination.deliveries]}".lower()
    signed = Signed(examination.deliveries[0].event.payload)
    keys = [form.key(SECRET) for form in WRONG_FORMS if form.sign(signed, SECRET) is not None]
    words = {b"undefined", b"whsec_test"}  # which have nothing of the secret
    made_of_it = {key for key in keys if len(key) > 6 and key not in words and b"secret" not in key}
    assert WITHOUT_PREFIX in made_of_it
    for key in made_of_it:
        for spelling in (key, key.hex().encode(), base64.b64encode(key).rstrip(b"=")):
            assert spelling.lower() not in wire
            assert spelling.lower() not in told.encode()


async def test_the_evidence_shows_the_wrong_delivery_and_no_secret() -> None:
    """The report's text of the evidence holds the wrong header as it was sent, and hides the secret."""
    diagnosis = await diagnosed(verifying(keyed(WITHOUT_PREFIX)))
    text = evidence_text(Redactor([SECRET]).delivery(diagnosis.evidence[0]))
    body = wire_of(diagnosis.evidence[0]).partition(b"\r\n\r\n")[2]
    assert documented(body, WITHOUT_PREFIX.decode()) in text
    assert SECRET not in Redactor([SECRET]).text(text)
    assert json.loads(body)["event"] == "run.completed"
