"""Checks of the signature: only what is signed with the secret may come in."""

from __future__ import annotations

import msgspec

from mockserver.checks.context import (
    UNKNOWN_EVENT,
    CheckContext,
    Variant,
    answer_of,
    defect,
    digest,
    header_case,
    signature,
    status_of,
    tampered_id,
)
from mockserver.checks.experiments import Experiment, Trial, accepting, refusing, refusing_all, refusing_each
from mockserver.checks.model import Check, Judgement
from mockserver.faults.request_builder import Draft
from mockserver.model.messages import Pause
from mockserver.model.quantities import show_size
from mockserver.model.records import Event
from mockserver.model.signing import PREFIX

_REFUSES = "4xx (400, 401 or 403), and no effect"
_COMPARE = "compare the whole header with `sha256=` and the hex digest, in constant time, on bytes"

_TRUNCATED = (
    Variant("half of the digest", ("truncated_signature",)),
    Variant("the first digit alone", (signature("one_digit", lambda body, key: PREFIX + digest(body, key)[:1]),)),
    Variant("no digest after `sha256=`", (signature("prefix_only", lambda *_: PREFIX),)),
    Variant("all but the last digit", (signature("63_digits", lambda body, key: PREFIX + digest(body, key)[:-1]),)),
)
_LENGTHENED = (
    Variant("a digit after the digest", (signature("65_digits", lambda body, key: f"{PREFIX}{digest(body, key)}0"),)),
    Variant("the digest twice", (signature("twice", lambda body, key: PREFIX + digest(body, key) * 2),)),
    Variant("text after the digest", (signature("tail", lambda body, key: f"{PREFIX}{digest(body, key)},v1=x"),)),
)
_MALFORMED = (
    Variant("64 letters that are not hex", ("malformed_signature",)),
    Variant("one word", (signature("one_word", lambda *_: "nonsense"),)),
    Variant("only `=`", (signature("equals", lambda *_: "="),)),
    Variant("several `=`", (signature("several_equals", lambda *_: "sha256=a=b=c"),)),
    Variant("an odd number of digits", (signature("odd", lambda *_: f"{PREFIX}abc"),)),
    Variant("an empty name", (signature("no_name", lambda body, key: f"={digest(body, key)[::-1]}"),)),
    Variant("4,000 digits", (signature("long", lambda *_: PREFIX + "a" * 4000),)),
)
_ALGORITHMS = (
    Variant("the digest under the name sha512", ("wrong_algorithm",)),
    Variant(
        "a correct HMAC-SHA1 as sha1=", (signature("sha1", lambda body, key: f"sha1={digest(body, key, 'sha1')}"),)
    ),
    Variant("a correct HMAC-MD5 as md5=", (signature("md5", lambda body, key: f"md5={digest(body, key, 'md5')}"),)),
    Variant("the algorithm none", (signature("none", lambda *_: "none="),)),
)
_CASES = (
    Variant("header names in lower case", ("lowercase_headers",)),
    Variant("header names in upper case", (header_case("upper_case_headers", str.upper),)),
)


def _wrong_secret(context: CheckContext) -> list[Variant]:
    """Forgeries of every event type: some consumers verify in one branch only."""
    types = (*context.events, UNKNOWN_EVENT)
    return [Variant(f"a forged {event}", ("wrong_secret",), event) for event in types]


def _not_utf8(context: CheckContext) -> Event:
    event = context.event()
    return msgspec.structs.replace(event, payload=event.payload[:-1] + b',"\xff\xfe":1}')


async def _forged_then_genuine(context: CheckContext) -> Trial:
    event = context.event()
    forged = await context.deliver(event, "wrong_secret")
    genuine = await context.deliver(event)
    return Trial(((_FORGED, forged), (_GENUINE, genuine)), context.effects.unit(event.type))


async def _judge_blocked(_: CheckContext, trial: Trial, change: float | None) -> Judgement:
    forged, genuine = trial.deliveries
    if not 200 <= status_of(forged) < 500:
        return Judgement("inconclusive", f"the forged event itself was not refused ({answer_of(forged)})", (forged,))
    if genuine.delivered and change == trial.expected:
        return Judgement("pass", "the genuine event after a forged one was handled", (genuine,))
    effect = f"and had an effect of {change or 0:g}, not {trial.expected:g}"
    return Judgement("fail", f"after a forgery the genuine event {answer_of(genuine)} {effect}", trial.deliveries)


_FORGED, _GENUINE = Variant("the forged event", ("wrong_secret",)), Variant("the genuine event")


def _undecodable(context: CheckContext) -> list[Variant]:
    raw = _not_utf8(context).payload
    return [Variant("bytes that are not UTF-8, forged", ("wrong_secret",), raw=raw)]


#: A large body is written in pieces, so that an answer that comes before its end is seen.
_PIECE = 64 * 1024


async def _large_forgery(context: CheckContext) -> Judgement:
    size = context.large_body
    if not size:
        return Judgement("not tested", "needs --large-body SIZE, such as 64MiB, to send that much")
    if context.outside(context.deliveries[0]):
        return Judgement("not tested", "that much is sent to this machine and to private addresses only")
    event = context.event()
    padded = msgspec.structs.replace(event, payload=event.payload[:-1] + b',"padding":"' + b"x" * size + b'"}')
    delivery = await context.deliver(padded, "wrong_secret", defect("in_pieces", "framing", _in_pieces), odd=True)
    unsent = delivery.attempts[-1].exchange.unsent
    shown = show_size(size)
    if delivery.delivered:
        return Judgement("fail", f"a forged body of {shown} {answer_of(delivery)}", (delivery,))
    if unsent or status_of(delivery) in (0, _TOO_LARGE):
        return Judgement("pass", f"a forged body of {shown} {answer_of(delivery)}", (delivery,))
    return Judgement("fail", f"all of a forged body of {shown} was read before it {answer_of(delivery)}", (delivery,))


_TOO_LARGE = 413


def _in_pieces(draft: Draft) -> None:
    pieces = [draft.body[at : at + _PIECE] for at in range(0, len(draft.body), _PIECE)]
    draft.content = [step for piece in pieces for step in (piece, Pause(0))]


SIGNATURE_CHECKS = (
    Check(
        id="PG010",
        name="missing_signature",
        severity="must",
        sends="Valid events of each type without the header X-Playgent-Signature.",
        good=_REFUSES,
        why="The URL of a webhook is not secret. A consumer that accepts unsigned events accepts them from anyone."
        " The typical cause is `if signature and not valid`, which lets a missing header through.",
        fix="refuse the request when the header is missing, before you look at anything else",
        procedure=refusing_each("{event} without a signature", "missing_signature"),
    ),
    Check(
        id="PG011",
        name="empty_signature",
        severity="must",
        sends="Valid events of each type whose signature header is empty.",
        good=_REFUSES,
        why="An empty header is falsy in most languages: it is treated like a missing one, or passes a comparison"
        " of prefixes.",
        fix="treat an empty header as a wrong signature",
        procedure=refusing_each("{event} with an empty signature", "empty_signature"),
    ),
    Check(
        id="PG012",
        name="wrong_secret",
        severity="must",
        sends="An event of each type, and one of an unknown type, signed with another secret.",
        good=_REFUSES,
        why="This is what a forged event looks like. Some consumers log a bad signature and go on; others verify in"
        " the branch of a single event type.",
        fix="verify first, for every request, and answer 401 when the signature does not match",
        procedure=refusing_all(_wrong_secret),
    ),
    Check(
        id="PG013",
        name="tampered_body",
        severity="must",
        sends="Events of each type with one byte changed after signing.",
        good=_REFUSES,
        why="The signature protects the body; a consumer that does not compute it over the exact bytes of the"
        " request protects nothing.",
        fix="compute the HMAC over the raw body of this request",
        procedure=refusing_each("{event} that was changed after signing", tampered_id()),
    ),
    Check(
        id="PG014",
        name="other_body",
        severity="must",
        sends="Events of each type with a signature that is valid for another body.",
        good=_REFUSES,
        why="Anyone who has seen one delivery has a valid signature. It must be worthless with any other body.",
        fix="compute the HMAC over the raw body of this request",
        procedure=refusing_each("{event} with the signature of another body", "other_body"),
    ),
    Check(
        id="PG015",
        name="truncated_signature",
        severity="must",
        sends="Events whose digest is cut short: to half, to one digit, to nothing, and by one digit.",
        good=_REFUSES,
        why="Comparing only as many digits as were sent (`expected.startswith(given)`) lets anyone guess a single"
        " digit; comparing unequal lengths raises an error in some languages, and the sender gets a 500.",
        fix=_COMPARE,
        procedure=refusing(*_TRUNCATED),
    ),
    Check(
        id="PG016",
        name="lengthened_signature",
        severity="should",
        sends="Events with something after the right digest.",
        good=_REFUSES,
        why="Some consumers compare only the first 64 digits; in others, the comparison raises an error for any"
        " other length.",
        fix=_COMPARE,
        procedure=refusing(*_LENGTHENED),
    ),
    Check(
        id="PG017",
        name="malformed_signature",
        severity="must",
        sends="Events with several kinds of nonsense in the signature header.",
        good="4xx, never 5xx, and the consumer still runs",
        why="Anyone can send this header. A consumer that splits or decodes it carelessly answers 500 or crashes:"
        " one request can stop it.",
        fix="never parse the header: " + _COMPARE,
        procedure=refusing(*_MALFORMED),
    ),
    Check(
        id="PG018",
        name="non_ascii_signature",
        severity="must",
        sends="An event with a byte in the signature that is not ASCII.",
        good="4xx, never 5xx",
        why="Python's `hmac.compare_digest` raises TypeError for non-ASCII text: one byte from a stranger becomes a"
        " 500.",
        fix="compare bytes, not text: encode both sides before `compare_digest`",
        procedure=refusing(
            Variant("a Latin-1 byte in the digest", ("non_ascii_signature",)),
            Variant("UTF-8 in the digest", (signature("utf8", lambda *_: f"{PREFIX}\xc3\xa9\xe2\x82\xac"),)),
        ),
    ),
    Check(
        id="PG019",
        name="wrong_algorithm",
        severity="must",
        sends="The right digest as `sha512=`; correct HMACs of weaker algorithms as `sha1=` and `md5=`; `none=`.",
        good=_REFUSES,
        why="A consumer that lets the header choose the algorithm lets the attacker choose it.",
        fix="the algorithm is always SHA-256: " + _COMPARE,
        procedure=refusing(*_ALGORITHMS),
    ),
    Check(
        id="PG020",
        name="empty_secret",
        severity="must",
        sends="An event signed with the empty secret.",
        good=_REFUSES,
        why="Where several secrets are tried (a rotation, a default), one that is not set is empty, and anyone can"
        " sign with it.",
        fix="skip secrets that are not set, and refuse to start when there is none",
        procedure=refusing(
            Variant(
                "an event signed with the empty secret", (signature("empty_key", lambda b, _: PREFIX + digest(b, "")),)
            )
        ),
    ),
    Check(
        id="PG021",
        name="signature_without_prefix",
        severity="note",
        sends="The right digest without `sha256=` before it.",
        good=_REFUSES,
        why="The vendor always writes `sha256=`. Accepting a bare digest is harmless today, but a guess about"
        " tomorrow.",
        fix=_COMPARE,
        procedure=refusing(Variant("a signature without `sha256=`", ("signature_without_prefix",)), accepted="warn"),
    ),
    Check(
        id="PG022",
        name="upper_case_digest",
        severity="note",
        sends="The right digest in upper case.",
        good=_REFUSES,
        why="The vendor writes lower-case hex. A comparison that ignores case is harmless, but not what is documented.",
        fix=_COMPARE,
        procedure=refusing(
            Variant(
                "a digest in upper case", (signature("upper", lambda body, key: PREFIX + digest(body, key).upper()),)
            ),
            accepted="warn",
        ),
    ),
    Check(
        id="PG023",
        name="duplicate_signature_header",
        severity="note",
        sends="An event with the signature header twice: the right one, then a wrong one.",
        good=_REFUSES,
        why="Proxies and frameworks differ in which of two headers counts: one may verify a header that another"
        " does not use.",
        fix="refuse a request that has more than one signature header",
        procedure=refusing(Variant("an event with two signatures", ("duplicate_signature_header",)), accepted="warn"),
    ),
    Check(
        id="PG024",
        name="header_name_case",
        severity="must",
        sends="Valid events with the header names in lower and in upper case.",
        good="2xx",
        why="Header names are case-insensitive (RFC 9110, 5.1); HTTP/2 writes them in lower case, and proxies"
        " rewrite them.",
        fix="read the header through the framework, whatever its case",
        procedure=accepting(*_CASES),
    ),
    Check(
        id="PG025",
        name="undecodable_forgery",
        severity="must",
        sends="A body that is not UTF-8, with a bad signature.",
        good="4xx, never 5xx",
        why="A consumer that decodes the body before it verifies it crashes on bytes from a stranger.",
        fix="verify the bytes first; decode and parse only what is genuine",
        procedure=refusing_all(_undecodable),
    ),
    Check(
        id="PG026",
        name="forgery_blocks_event",
        severity="must",
        level=1,
        sends="A forged event, then the genuine one about the same object.",
        good="the forged one is refused, the genuine one has its effect",
        why="A consumer that marks an event as seen before it verifies it can be made to miss events: an attacker"
        " who guesses an id sends a forgery, and the genuine event is dropped as a duplicate.",
        fix="mark an event as seen only after it is verified and handled",
        procedure=Experiment(_forged_then_genuine, _judge_blocked),
    ),
    Check(
        id="PG027",
        name="large_forgery",
        severity="should",
        sends="With --large-body: one forged event of that size.",
        good="413, or an answer or a closed connection before the whole body is read",
        why="A signature can be verified only once the whole body is there, so without a limit anyone can make a"
        " consumer hold as much data as they send.",
        fix="limit request bodies on the webhook route to a few megabytes",
        procedure=_large_forgery,
    ),
)
