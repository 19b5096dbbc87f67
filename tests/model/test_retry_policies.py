"""Retry policies: when a failed delivery is attempted again, when a webhook is given up, and how scripts say it."""

import random
import re
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mockserver.model.fields import INVALID, Node, Reading
from mockserver.model.messages import ErrorKind, Exchange, ExchangeError, Response
from mockserver.model.records import Attempt
from mockserver.model.retry_policies import LONGEST_WAIT, MOST_ATTEMPTS, Retry, RetryPolicy, read_retry, requested_wait
from mockserver.script.package_files import load_retry_policies
from tests.tables import each_row

NAMED = load_retry_policies()
NOON = 784_123_200.0  # Sunday, 6 November 1994, 12:00:00 GMT
MINUTE, HOUR, DAY = 60, 3600, 86400


def attempt(
    status: int | None = 500, *, error: ErrorKind | None = None, headers: list[tuple[str, str]] | tuple[()] = ()
) -> Attempt:
    response = None if status is None else Response(status, headers=tuple(headers))
    failure = ExchangeError(error, "it failed") if error else None
    return Attempt(1, NOON, None, Exchange(response, failure))


def waits(policy: RetryPolicy, *, seed: int = 0) -> list[float]:
    """Every wait of a delivery whose attempts all fail."""
    chance, found = random.Random(seed), []
    failed = [attempt()]
    while (wait := policy.wait_before_next(failed, chance)) is not None:
        found.append(wait)
        failed.append(attempt())
    return found


def wait_after(policy: RetryPolicy, last: Attempt) -> float | None:
    return policy.wait_before_next([last], random.Random(0))


# The named policies


@each_row(
    ("name", "attempts", "seconds"),
    [
        ("none", 1, 0),
        ("standard_webhooks", 10, 75 * HOUR + 35 * MINUTE + 5),
        ("svix", 8, 27 * HOUR + 35 * MINUTE + 5),
        ("shopify", 9, 4 * HOUR),
        ("stripe", 11, 3 * DAY),
        ("github", 1, 0),
        ("three_attempts", 3, 5),
    ],
)
def test_named_policies_last_as_long_as_their_sources_say(name: str, attempts: int, seconds: int) -> None:
    """The number of attempts and the time from the first to the last are those of the documentation."""
    policy = NAMED[name]
    assert policy.max_attempts == attempts
    assert sum(policy.delays) == seconds
    assert len(waits(policy)) == attempts - 1


def test_the_documented_steps_are_in_their_order() -> None:
    """Where a source gives each step, the policy has just these."""
    documented = {
        "standard_webhooks": (
            5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR,
        ),
        "svix": (5, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR),
        "three_attempts": (1, 4),
    }  # fmt: skip
    assert {name: NAMED[name].delays for name in documented} == documented


def test_the_other_documented_facts_of_the_named_policies() -> None:
    """Time-outs, what 410 does, Retry-After and giving up are as documented."""
    facts = {
        policy.name: (policy.timeout, policy.gone_deactivates, policy.obeys_retry_after, policy.deactivate_after)
        for policy in NAMED.values()
    }
    assert facts == {
        "none": (None, False, False, None),
        "standard_webhooks": (20, True, True, None),
        "svix": (15, False, False, None),
        "shopify": (5, False, False, 1),
        "stripe": (None, False, False, None),
        "github": (10, False, False, None),
        "three_attempts": (None, False, False, None),
    }


def test_what_the_named_policies_retry() -> None:
    """Every failure, as is common, but for the short one, which gives up where a repetition cannot help."""
    retried = {policy.name: set(policy.retry_on) for policy in NAMED.values() if policy.delays}
    assert retried.pop("three_attempts") == {"5xx", "408", "429", "network"}
    assert all(classes == {"3xx", "4xx", "5xx", "network"} for classes in retried.values())


@each_row("policy", NAMED.values())
def test_every_named_policy_is_consistent(policy: RetryPolicy) -> None:
    """Each is kept under its name, has rising waits and a note, reads back as itself, and says where it is from."""
    assert NAMED[policy.name] is policy
    assert list(policy.delays) == sorted(policy.delays)
    assert policy.note
    spelled = {
        "schedule": [0, *policy.delays],
        "on": policy.retry_on,
        "jitter": policy.jitter,
        "timeout": policy.timeout,
        "deactivate_after": policy.deactivate_after,
    }
    expected = msgspec.structs.replace(policy, name=f"{policy.name}, changed")
    assert read_retry({"policy": policy.name} | spelled, NAMED) == expected
    if policy.name != "none":
        assert re.fullmatch(r"https://[a-z.-]+/\S+", policy.source)
        assert re.fullmatch(r"20[0-9]{2}-[01][0-9]-[0-3][0-9]", policy.date)


def test_the_named_policies_cannot_be_changed_by_accident() -> None:
    """They are read once for all servers of a process, so no one may add to them."""
    with pytest.raises(TypeError):
        load_retry_policies()["mine"] = NAMED["none"]  # type: ignore[index] # that is the point


# When the next attempt is


def test_nothing_is_waited_for_before_the_first_attempt() -> None:
    """A delivery without attempts is attempted at once."""
    assert NAMED["github"].wait_before_next([], random.Random(0)) == 0


def test_the_waits_are_those_of_the_schedule_and_then_there_are_no_more() -> None:
    """Without jitter each wait is exactly the one written down."""
    assert waits(read_retry(["0s", "0.5s", "4s"], NAMED)) == [0.5, 4]


def test_jitter_is_repeatable_and_within_its_bounds() -> None:
    """The same seed gives the same waits, another one others, and none is further off than the policy says."""
    policy = NAMED["standard_webhooks"]
    drawn = waits(policy, seed=7)
    assert drawn == waits(policy, seed=7) != waits(policy, seed=8)
    factors = [
        wait / delay for seed in range(200) for wait, delay in zip(waits(policy, seed=seed), policy.delays, strict=True)
    ]
    assert 0.8 <= min(factors) < 0.81
    assert 1.19 < max(factors) <= 1.2


def test_a_policy_without_jitter_leaves_chance_alone() -> None:
    """What else is drawn from the same seed does not depend on how many attempts there were."""
    chance = random.Random(3)
    NAMED["svix"].wait_before_next([attempt()], chance)
    assert chance.random() == random.Random(3).random()


@each_row(
    ("retry_on", "retried"),
    [
        ("5xx", {"500", "503", "599"}),
        ("4xx", {"400", "408", "429", "410"}),
        ("3xx", {"302"}),
        ("429", {"429"}),
        ("network", {"timeout", "connect", "resolve", "tls", "closed", "protocol", "too_large", "app", "no answer"}),
    ],
)
def test_what_is_retried(retry_on: str, retried: set[str]) -> None:
    """Each class retries what it names and nothing else; a refused address and the end of a replay never are."""
    outcomes = {str(status): attempt(status) for status in (200, 204, 302, 400, 408, 410, 429, 500, 503, 599)}
    errors: list[ErrorKind] = [kind for kind in get_args(ErrorKind) if kind != "request"]  # nothing was sent
    outcomes |= {error: attempt(None, error=error) for error in errors} | {"no answer": attempt(None)}
    policy = RetryPolicy("one class", delays=(1,), retry_on=(retry_on,))
    assert {name for name, last in outcomes.items() if wait_after(policy, last) is not None} == retried


@pytest.mark.parametrize("status", [200, 503])
def test_an_answer_that_broke_off_counts_as_a_network_error(status: int) -> None:
    """The status of an incomplete answer says nothing: it is the error that decides."""
    broken = attempt(status, error="closed")
    assert wait_after(RetryPolicy("network", delays=(1,), retry_on=("network",)), broken) == 1
    assert wait_after(RetryPolicy("statuses", delays=(1,), retry_on=("5xx",)), broken) is None


# 410 and giving up


def test_410_ends_the_delivery_and_the_webhook_where_the_policy_says_so() -> None:
    """A sender that minds 410 stops at once; another one goes on as with every 4xx."""
    minds, ignores = NAMED["standard_webhooks"], NAMED["svix"]
    assert wait_after(minds, attempt(410)) is None
    assert minds.deactivates([attempt(500), attempt(410)], 1)
    assert not minds.deactivates([attempt(410), attempt(500)], 1)
    assert not minds.deactivates([attempt(410, error="closed")], 1)
    assert wait_after(ignores, attempt(410)) == 5
    assert not ignores.deactivates([attempt(410)], 100)


def test_failures_in_a_row_deactivate_the_webhook() -> None:
    """The webhook is given up at the number of the policy, not before, and never by a success."""
    policy = read_retry({"schedule": [0], "deactivate_after": 3}, NAMED)
    assert [policy.deactivates([attempt()], failures) for failures in (1, 2, 3, 4)] == [False, False, True, True]
    assert not policy.deactivates([attempt(200)], 3)
    assert not policy.deactivates([], 3)
    assert not NAMED["none"].deactivates([attempt()], 1_000_000)


# Retry-After


RETRY_AFTER = [
    ("120", 120),
    (" 120 ", 120),
    ("0", 0),
    ("000120", 120),
    ("86400", DAY),
    ("86401", DAY),
    ("9" * 9, DAY),
    ("9" * 100_000, DAY),
    ("0" * 100_000, 0),
    ("Sun, 06 Nov 1994 12:02:00 GMT", 120),
    ("Sunday, 06-Nov-94 12:02:00 GMT", 120),
    ("Sun Nov  6 12:02:00 1994", 120),
    ("Sun, 06 Nov 1994 11:00:00 GMT", 0),
    ("Fri, 31 Dec 9999 23:59:59 GMT", DAY),
    ("Thursday, 01-Jan-70 00:00:00 GMT", 0),
    ("Sunday, 06-Nov-33 12:02:00 GMT", DAY),
    ("Mon, 31 Feb 1994 12:02:00 GMT", 0),
    ("Sun, 06 Nov 1994 25:00:00 GMT", 0),
    ("Sun, 06 Nov 0000 12:00:00 GMT", 0),
    ("Sun, 06 Nov 1994 12:02:00 +0100", 0),
    ("-5", 0),
    ("1.5", 0),
    ("1e9", 0),
    ("inf", 0),
    ("١٢٠", 0),
    ("120, 240", 0),
    ("soon", 0),
    ("", 0),
]


def test_retry_after() -> None:
    """Seconds and each spelling of an HTTP date are read, and bounded to a day; anything else asks for nothing."""
    for value, seconds in RETRY_AFTER:
        assert requested_wait((("retry-after", value),), NOON) == seconds, value[:40]


def test_an_http_date_counts_from_the_date_of_the_answer() -> None:
    """A consumer whose clock is wrong gets the wait that it means; a Date that cannot be read is as good as none."""
    until = ("Retry-After", "Mon, 07 Nov 1994 00:00:30 GMT")
    assert requested_wait((until, ("Date", "Mon, 07 Nov 1994 00:00:00 GMT")), NOON) == 30
    assert requested_wait((until, ("Date", "yesterday")), NOON) == 12 * HOUR + 30
    short = ("retry-after", "Sunday, 06-Nov-33 12:02:00 GMT")
    assert requested_wait((short, ("date", "Sun, 06 Nov 2033 12:00:00 GMT")), NOON) == 120
    assert requested_wait((), NOON) == 0


@given(
    st.text(max_size=40) | st.from_regex(r"[A-Z][a-z]{2}, [0-9]{2} (Jan|Feb|Dec) [0-9]{4} [0-9:]{8} GMT"),
    st.text(max_size=40),
)
def test_no_retry_after_can_raise(value: str, date: str) -> None:
    """Whatever a consumer puts there, a wait between nothing and a day comes out."""
    assert 0 <= requested_wait((("retry-after", value), ("date", date)), NOON) <= LONGEST_WAIT


def test_retry_after_lengthens_a_wait_and_never_shortens_it() -> None:
    """The longer one of the header and the schedule counts, with a policy that obeys it and a complete answer."""
    obeys = RetryPolicy("obeys", delays=(60,), obeys_retry_after=True)
    ignores = RetryPolicy("ignores", delays=(60,))
    longer, shorter = [("retry-after", "90")], [("retry-after", "5")]
    until = [("retry-after", "Sun, 06 Nov 1994 12:02:00 GMT")]
    assert wait_after(obeys, attempt(503, headers=longer)) == 90
    assert wait_after(obeys, attempt(503, headers=until)) == 120
    assert wait_after(obeys, attempt(503, headers=shorter)) == 60
    assert wait_after(ignores, attempt(503, headers=longer)) == 60
    assert wait_after(obeys, attempt(503, error="timeout", headers=longer)) == 60
    assert wait_after(obeys, attempt(None)) == 60


def test_retry_after_adds_no_attempts() -> None:
    """A consumer cannot ask for more attempts than the policy has."""
    policy = RetryPolicy("obeys", delays=(), obeys_retry_after=True)
    assert wait_after(policy, attempt(503, headers=[("retry-after", "1")])) is None


# What scripts and the command line say


def an_editor_accepts(value: Any) -> bool:
    return bool(Draft202012Validator(Retry().schema()).is_valid(value))


SPELLINGS = [
    ("stripe", NAMED["stripe"]),
    (["0s", "1s", "4s"], RetryPolicy("schedule", delays=(1, 4))),
    (("0s", "1m30s"), RetryPolicy("schedule", delays=(90,))),
    ([0, 0.5], RetryPolicy("schedule", delays=(0.5,))),
    (["0s"], RetryPolicy("schedule", delays=())),
    ("0s,1s,4s", RetryPolicy("schedule", delays=(1, 4))),
    ("[0s, 1s, 4s]", RetryPolicy("schedule", delays=(1, 4))),
    ({"policy": "stripe"}, NAMED["stripe"]),
    (
        {"policy": "stripe", "timeout": "1s"},
        msgspec.structs.replace(NAMED["stripe"], name="stripe, changed", timeout=1.0),
    ),
    (
        {"policy": "shopify", "timeout": None, "deactivate_after": None},
        msgspec.structs.replace(NAMED["shopify"], name="shopify, changed", timeout=None, deactivate_after=None),
    ),
    (
        {
            "schedule": ["0s", "1s"],
            "on": ["5xx", 429, "408", "network", 300, 599, "3xx"],
            "jitter": 0.2,
            "timeout": "5s",
            "gone_deactivates": True,
            "obeys_retry_after": True,
            "deactivate_after": 10,
        },
        RetryPolicy("schedule", (1,), 0.2, 5, ("5xx", "429", "408", "network", "300", "599", "3xx"), True, True, 10),
    ),
]


def test_spellings_of_a_policy() -> None:
    """A name, a schedule as a list or as text, and an object each give the policy that they mean; the schema agrees."""
    for value, policy in SPELLINGS:
        assert read_retry(value, NAMED) == policy, value
        assert isinstance(value, tuple) or an_editor_accepts(value), value


WRONG = [
    ("strpe", "no retry policy 'strpe'; there are none, standard_webhooks, .* did you mean 'stripe'"),
    (3, r"expected a retry policy: a name \(none, .*\), a schedule .*, or an object .*, not 3"),
    ([], "expected a list with at least one item"),
    (["1s", "4s"], "the first attempt waits for nothing, so its entry must be 0"),
    (["0s", "1x"], "expected a duration such as 250ms.*, not '1x'"),
    (["0s", True], "expected a duration .*, not true"),
    ("0s,soon", "expected a duration .*, not 'soon'"),
    (["0s"] * (MOST_ATTEMPTS + 1), "expected a list of at most 100 items, not of 101"),
    ({"jitter": 0.1}, "^a retry policy needs a schedule such as .* or the policy to change"),
    (
        {"schedul": ["0s"]},
        "unknown key 'schedul' in a retry policy; known are policy, schedule, on, .* did you mean 'schedule'",
    ),
    ({"policy": "svx"}, "policy: there is no retry policy 'svx'.* did you mean 'svix'"),
    ({"policy": ["svix"]}, r"policy: there is no retry policy a list; there are none, "),
    ({"schedule": [0], "on": "5xx"}, "on: expected a list, not '5xx'"),
    ({"schedule": [0], "on": ["netwrk"]}, r"on\[0\]: expected 3xx, .*, not 'netwrk'; did you mean 'network'"),
    ({"schedule": [0], "on": [200]}, r"on\[0\]: expected .* a status from 300 to 599, not 200"),
    ({"schedule": [0], "on": [600]}, r"on\[0\]: expected .* a status from 300 to 599, not 600"),
    ({"schedule": [0], "on": ["200"]}, r"on\[0\]: expected .*, not '200'"),
    ({"schedule": [0], "on": [["5xx"]]}, r"on\[0\]: expected .*, not a list$"),
    ({"schedule": [0], "on": [True]}, r"on\[0\]: expected .*, not true"),
    ({"schedule": [0], "jitter": 1.5}, "jitter: expected a number from 0 to 1, not 1.5"),
    ({"schedule": [0], "jitter": float("nan")}, "jitter: .*, not nan"),
    ({"schedule": [0], "timeout": 0}, "timeout: expected a duration .* 1ms to .*, not 0"),
    ({"schedule": [0], "gone_deactivates": "yes"}, "gone_deactivates: expected true or false, not 'yes'"),
    ({"schedule": [0], "deactivate_after": 0}, "deactivate_after: expected a whole number from 1, not 0"),
]


#: What a schema cannot see, or can only with a pattern that no one would read.
UNSEEN = (["1s", "4s"], "0s,soon")


def test_what_is_wrong_is_said() -> None:
    """Every wrong spelling is refused with what is wrong, what is allowed and what was meant; editors mark it too."""
    for value, message in WRONG:
        with pytest.raises(ValueError, match=message):
            read_retry(value, NAMED)
        assert value in UNSEEN or "nan" in str(value) or not an_editor_accepts(value), value


def test_messages_stay_short() -> None:
    """However long or deep the wrong value is, the message is one that can be read."""
    value: list[Any] = []
    deep = value
    for _ in range(100_000):
        value = [value]
    for wrong in (deep, value, [0, value], "x" * 1_000_000, {"policy": "x" * 1_000_000}, {"x" * 1_000_000: 1}):
        with pytest.raises(ValueError, match=r"\w") as caught:
            read_retry(wrong, NAMED)
        assert len(str(caught.value)) < 400


def test_a_problem_in_a_schedule_as_text_has_the_place_of_the_text() -> None:
    """A wrong wait and a wrong beginning alike; what begins wrongly is no policy."""
    for text in ("0s,soon", "1s,4s"):
        reading = Reading([], policies=NAMED)
        assert Retry().read(Node(3, 7, text), reading) is INVALID or text == "0s,soon"
        assert [(problem.line, problem.column) for problem in reading.problems] == [(3, 7)]


def test_what_editors_offer_as_a_schedule_is_one() -> None:
    """The list and the text of the schema's examples mean the same policy."""
    offered = [example for spelling in Retry().schema()["anyOf"] for example in spelling.get("examples", ())]
    assert offered == [["0s", "1s", "4s"], "0s,1s,4s"]
    assert {read_retry(each, NAMED).delays for each in offered} == {(1, 4)}
