"""Every mistake by name: what the consumer does wrong, and which consumers can be made to do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

_EVERYWHERE = ("flask", "fastapi", "node")
_PYTHON = ("flask", "fastapi")
_NODE = ("node",)


class Mistake(NamedTuple):
    """One mistake.

    Attributes:
        description: What the consumer does wrong, in one sentence.
        consumers: Where it exists: names of :data:`tests.consumers.launch.NAMES`.
        in_process: Whether an application object shows it; otherwise it needs the consumer as a program, since it is
            about the server, or ends the process.
    """

    description: str
    consumers: tuple[str, ...] = _EVERYWHERE
    in_process: bool = True


_SIGNATURE = {
    "no_verification": Mistake("The signature is not looked at."),
    "missing_signature_accepted": Mistake("A delivery without a signature, or with an empty one, is not verified."),
    "logs_and_goes_on": Mistake("A bad signature is logged, and then the event is handled and answered 200."),
    "refuses_after_handling": Mistake("The event is handled first, and then the bad signature is answered 401."),
    "drops_silently": Mistake("A bad signature has no effect, but is answered 200 just like a good one."),
    "prefix_compare": Mistake("A signature is good if the right one begins with it, however short it is."),
    "ignores_the_rest": Mistake("A signature is good if it begins with the right one, whatever follows."),
    "crash_on_missing_header": Mistake("A delivery without the signature header is answered 500."),
    "crash_on_malformed": Mistake("A signature that is not `sha256=` and 64 hexadecimal digits is answered 500."),
    "crash_on_length": Mistake("A signature of another length than the right one is answered 500.", _NODE),
    "crash_on_non_ascii": Mistake("A signature with a character outside ASCII is answered 500.", _PYTHON),
    "dies_on_malformed": Mistake("A malformed signature ends the process.", in_process=False),
    "any_algorithm": Mistake("Only what comes after the `=` is compared: any algorithm may be named before it."),
    "weak_algorithm": Mistake("The algorithm is taken from the header, so that a correct `sha1=` passes."),
    "empty_secret_accepted": Mistake("An old secret that is not configured counts as empty, and its signatures pass."),
    "verifies_some_events": Mistake("Only run.failed is verified; events of all other types are believed."),
    "header_by_case": Mistake("The signature header is found only if spelled `X-Playgent-Signature`.", _NODE),
    "marks_before_verifying": Mistake(
        "An event counts as seen before it is verified, so a forgery blocks the real one."
    ),
}

_RAW_BODY = {
    "reserialised_compact": Mistake("The parsed body, written again without spaces, is verified."),
    "reserialised_spaced": Mistake("The parsed body, written again as json.dumps writes it, is verified.", _PYTHON),
    "reserialised_sorted": Mistake("The parsed body, written again with sorted keys, is verified."),
    "strips_body": Mistake("White space around the body is cut off before it is verified."),
    "latin1_body": Mistake("The body is decoded as Latin-1 and encoded as UTF-8 before it is verified."),
    "ascii_body": Mistake("The body is decoded as ASCII: other text is answered 500 (Node.js: refused with 401)."),
    "undecodable_crash": Mistake("The body is decoded before it is verified: one that is not UTF-8 is answered 500."),
    "decodes_each_piece": Mistake(
        "Each piece of the body is decoded on its own, and so half characters get lost.", _NODE
    ),
    "content_type_exact": Mistake("Every Content-Type but exactly `application/json` is answered 415."),
}

_WRONG_FORM = {
    "secret_without_prefix": Mistake("The secret is used without its prefix `whsec_`."),
    "secret_base64_decoded": Mistake("What follows the secret's prefix is decoded as base64 to make the key."),
    "secret_with_newline": Mistake("The secret is used with the newline at the end of the file that it was read from."),
    "other_header": Mistake("The signature is read from X-Hub-Signature-256."),
    "digest_without_prefix": Mistake("The header is compared with the hexadecimal digest alone, without `sha256=`."),
    "base64_digest": Mistake("The header is compared with `sha256=` and the digest in base64."),
}

_PAYLOAD = {
    "unknown_event_400": Mistake("An event of an unknown type is answered 400."),
    "unknown_event_500": Mistake("An event of an unknown type is answered 500."),
    "extra_fields_refused": Mistake("An event with a field that is not in the application's schema is answered 400."),
    "crash_on_null": Mistake("An optional field that is null is answered 500."),
    "crash_on_bad_json": Mistake("A signed body that is not JSON is answered 500."),
    "crash_on_wrong_shape": Mistake("Signed JSON that is a list, or has no data or id, is answered 500."),
    "crash_on_deep_nesting": Mistake("Signed JSON that is nested thousands of levels deep is answered 500."),
    "body_limit_100kb": Mistake("A body over 100 KiB is answered 413."),
}

_HTTP = {
    "content_length_only": Mistake(
        "As many bytes as Content-Length says are read: none of a chunked body.", ("flask", "node"), in_process=False
    ),
    "one_at_a_time": Mistake(
        "Requests are read one after the other: a slow sender blocks all others.", ("flask", "node"), False
    ),
    "redirects": Mistake("The registered address is redirected with 308 to the same with a slash at the end."),
    "csrf": Mistake("A delivery without the token that protects forms in browsers is answered 403, as HTML."),
    "login_redirect": Mistake("A delivery without a session is redirected to the login page."),
    "get_accepted": Mistake("GET and PUT with a signed body are handled as events too."),
    "slow_handler": Mistake("It works for 1.5 s before each answer."),
    "leaks_expected_signature": Mistake("The answer to a bad signature shows the right one."),
    "leaks_secret": Mistake("The answer to a bad signature shows the secret."),
    "leaks_trace": Mistake("The answer to a signed body that is not an event shows a stack trace."),
}

_EFFECTS = {
    "no_dedupe": Mistake("Every delivery has an effect, also the second of the same event."),
    "duplicate_refused": Mistake("A second delivery of an event is answered 409."),
    "check_then_act": Mistake(
        "Seen is looked up, and marked some time later: copies at the same time have several effects."
    ),
    "dedupe_by_object": Mistake("Events are told apart by their object alone: the second event about it is dropped."),
    "dedupe_by_timestamp": Mistake(
        "Events are told apart by type and timestamp: another object's in that second is dropped."
    ),
    "lost_updates": Mistake(
        "The count is read, and written back some time later: events at the same time are not counted."
    ),
    "marks_before_success": Mistake(
        "An event counts as seen before it was handled: the retry of one that failed is dropped."
    ),
    "swallows_errors": Mistake("A failure while handling is logged and answered 200: the event is lost."),
    "half_done": Mistake("The effect is there before handling fails: the retry has a second one."),
    "last_write_wins": Mistake(
        "An object's state is that of the event that arrived last, not of the one that happened last."
    ),
    "order_matters_500": Mistake("That a run failed, sent after it was completed, is answered 500."),
}

#: The mistakes by family and name.
FAMILIES: Mapping[str, Mapping[str, Mistake]] = {
    "signature": _SIGNATURE,
    "raw body": _RAW_BODY,
    "wrong form": _WRONG_FORM,
    "payload": _PAYLOAD,
    "http": _HTTP,
    "effects": _EFFECTS,
}

#: The mistakes by name.
MISTAKES: Mapping[str, Mistake] = {name: each for family in FAMILIES.values() for name, each in family.items()}
