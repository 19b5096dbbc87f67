"""What matters as well, and cannot be tested from outside: listed, so that silence is not taken for a pass."""

from __future__ import annotations

from mockserver.checks.model import Check

UNTESTED = (
    Check(
        id="PG090",
        name="constant_time_comparison",
        severity="note",
        sends="Nothing: differences of nanoseconds cannot be measured reliably over HTTP.",
        good="`hmac.compare_digest`, `crypto.timingSafeEqual` or the like",
        why="A comparison that stops at the first wrong digit shows an attacker how far a guess was right.",
        fix="look at the code: the comparison must be one that takes constant time",
    ),
    Check(
        id="PG091",
        name="starts_without_secret",
        severity="note",
        sends="Nothing: the consumer would have to be started without its secret.",
        good="it refuses to start, or refuses every event",
        why="`os.environ.get('SECRET', '')` makes an empty key where the variable is missing, and everybody can sign.",
        fix="start the consumer once without its secret, and send an event signed with the empty one",
    ),
    Check(
        id="PG092",
        name="registers_once",
        severity="note",
        sends="Nothing: the consumer would have to be started twice.",
        good="one webhook, however often it starts",
        why="A consumer that registers at every start gets every event as many times as it was deployed.",
        fix="start it twice against `mockserver serve`, and look at GET /_mock/webhooks",
    ),
)
