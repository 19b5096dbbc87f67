"""Wrong forms of a signature, compared with what other programs make: Node.js, and Python's hmac and json."""

from __future__ import annotations

import copy
import hmac
import json
import re
import shutil
import subprocess

import pytest

from mockserver.checks.diagnosis import hint_of, reason_of
from mockserver.checks.signature_variants import (
    COMMON_BODY_FORMS,
    OTHER_BODY_FORMS,
    PAIRS,
    RIGHT,
    SINGLE_FORMS,
    WRONG_FORMS,
    Signed,
    WrongForm,
    both,
    compact_json,
    distinct,
    forged,
    go_json,
    javascript_json,
    make_distinctive,
    php_json,
    python_json,
    sorted_javascript_json,
)
from mockserver.model.events import encode_payload
from mockserver.model.messages import Response
from mockserver.model.signing import SIGNATURE_HEADER, sign
from mockserver.script.package_files import load_catalog
from tests.tables import each_row

SECRET = "whsec_Consumer-Under_Test9"
TIME = "2024-12-16T10:00:00Z"
FORMS = {form.name: form for form in WRONG_FORMS}
BODY = b'{"event":"run.failed","timestamp":"2024-12-16T10:00:00Z","data":{"run_id":"run_1"}}'

IN_NODE = """
const payload = JSON.parse(require("fs").readFileSync(0, "utf8"));
const ordered = (value) =>
  Array.isArray(value) ? value.map(ordered)
  : value !== null && typeof value === "object"
  ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, ordered(value[key])]))
  : value;
const spellings = [JSON.stringify(payload), JSON.stringify(payload, null, 2), JSON.stringify(ordered(payload)),
  JSON.stringify(payload.data)];
process.stdout.write(JSON.stringify(spellings));
"""


def payloads() -> list[bytes]:
    """An ordinary event of each type, and one in which the spellings of JSON differ."""
    made = []
    for event_type in load_catalog().all():
        data = copy.deepcopy(event_type.data)
        make_distinctive(data)
        made += [encode_payload(event_type.event, TIME, each) for each in (event_type.data, data)]
    return made


def headers_of(form: WrongForm, signed: Signed, secret: str = SECRET) -> tuple[tuple[str, str], ...]:
    """The headers that a form makes; it must make some."""
    made = form.sign(signed, secret)
    assert made
    return made


# ---------------------------------------------------------------- spellings


@pytest.mark.full
@pytest.mark.parametrize("payload", payloads(), ids=range(8))
def test_javascript_spells_json_so(payload: bytes) -> None:
    """JSON.stringify in Node.js writes the same text: compact, indented, with sorted keys, and the data alone."""
    node = shutil.which("node")
    assert node, "Node.js is needed to compare with"
    done = subprocess.run([node, "-e", IN_NODE], input=payload, capture_output=True, check=True)
    value = json.loads(payload)
    assert json.loads(done.stdout) == [
        javascript_json(value),
        javascript_json(value, indent=2),
        sorted_javascript_json(value),
        javascript_json(value["data"]),
    ]


def test_other_languages_spell_json_so() -> None:
    value = {"b": [1.0, 0.5, True, None], "a": {"é": "x/y </b> & \u2028"}}
    assert python_json(value) == r'{"b": [1.0, 0.5, true, null], "a": {"\u00e9": "x/y </b> & \u2028"}}'
    assert compact_json(value) == '{"b":[1.0,0.5,true,null],"a":{"é":"x/y </b> & \u2028"}}'
    assert php_json(value) == r'{"b":[1.0,0.5,true,null],"a":{"\u00e9":"x\/y <\/b> & \u2028"}}'
    assert go_json(value) == r'{"a":{"é":"x/y \u003c/b\u003e \u0026 \u2028"},"b":[1,0.5,true,null]}'
    assert javascript_json(value) == '{"b":[1,0.5,true,null],"a":{"é":"x/y </b> & \u2028"}}'
    assert sorted_javascript_json([value, -2.0]) == '[{"a":{"é":"x/y </b> & \u2028"},"b":[1,0.5,true,null]},-2]'


@each_row("payload", payloads()[1::2])
def test_a_distinctive_event_separates_all_spellings(payload: bytes) -> None:
    """In an event that was made for it no two forms of the body come to the same."""
    forms = (*COMMON_BODY_FORMS, *OTHER_BODY_FORMS)
    assert [len(group) for group in distinct(forms, Signed(payload), SECRET)] == [1] * len(forms)


def test_a_telling_event_is_about_the_same_object() -> None:
    """Ids and words that mean something stay as they are."""
    for event_type in load_catalog().all():
        data = copy.deepcopy(event_type.data)
        make_distinctive(data)
        assert data[event_type.object_id] == event_type.data[event_type.object_id]
        assert data.get("status") == event_type.data.get("status")


# ---------------------------------------------------------------- digests


@each_row(
    ("form", "secret", "key"),
    [
        ("secret_decoded_after_prefix", "whsec_AAECAwQ=", bytes(range(5))),
        ("secret_decoded_after_prefix", "whsec_AAECAwQ", bytes(range(5))),
        ("secret_decoded_after_prefix", "whsec_-_-_", bytes.fromhex("fbffbf")),
        ("secret_decoded_standard_after_prefix", "whsec_AA-ECAw_Q", bytes(range(5))),
        ("secret_lstripped", "whsec_chester", b"ter"),
        ("secret_second_part", "whsec_one_two", b"one"),
        ("secret_cut_at_hash", "one #two", b"one"),
        ("secret_expanded", "a${b}c$d", b"ac"),
    ],
)
def test_the_key_of_a_form(form: str, secret: str, key: bytes) -> None:
    """It is the HMAC with the key that a wrong form makes of a secret; ``misreadings`` has all forms."""
    ((_, value),) = headers_of(FORMS[form], Signed(BODY), secret)
    assert value == "sha256=" + hmac.new(key, BODY, "sha256").hexdigest()


# ---------------------------------------------------------------- the tables


def test_the_right_form_is_the_signature() -> None:
    """The measure of all forms is the documented signature."""
    assert RIGHT.sign(Signed(BODY), SECRET) == ((SIGNATURE_HEADER, sign(BODY, SECRET)),)


def test_names_are_not_used_twice() -> None:
    """Each form has a name and a mistake of its own, and says what to do about it."""
    assert len(FORMS) == len(WRONG_FORMS) == len(SINGLE_FORMS) + len(PAIRS)
    assert len({form.mistake for form in WRONG_FORMS}) == len(WRONG_FORMS)
    assert all(form.fix for form in WRONG_FORMS)


def test_a_form_is_said_in_a_way_that_can_be_read_on() -> None:
    """Mistakes and remedies are parts of a sentence: no capital, no full stop, one line."""
    for text in (text for form in SINGLE_FORMS for text in (form.mistake, form.fix)):
        assert re.fullmatch(r"[a-z`].*[^.\s]", text), text


def test_what_cannot_be_distinguished_from_the_right_form_is_left_out() -> None:
    """A form that this secret or body does not change, or of which none can be made, is not tried."""
    names = {form.name for group in distinct(SINGLE_FORMS, Signed(BODY), "plain") for form in group}
    assert not names & {"secret_without_prefix", "secret_lower_case", "secret_unhexed", "secret_stripped", "compact"}
    assert {"secret_upper_case", "secret_with_prefix", "empty"} <= names


def test_forms_that_come_to_the_same_are_one_group() -> None:
    """Equal forms are tried once; two that are only sometimes equal are not one."""
    spaced = [FORMS["python_json"], FORMS["python_json_unicode"]]
    assert distinct(spaced, Signed(BODY), SECRET) == [tuple(spaced)]
    for number in range(50):
        base64_forms = [FORMS["base64_bare"], FORMS["base64url_bare"]]
        assert len(distinct(base64_forms, Signed(b"%d" % number), SECRET)) == 2


def test_two_forms_in_one() -> None:
    """A pair changes both steps, and says both remedies; one that they share only once."""
    pair = both(FORMS["secret_without_prefix"], FORMS["base64_bare"])
    ((_, value),) = headers_of(pair, Signed(BODY))
    assert value == dict(headers_of(FORMS["base64_bare"], Signed(BODY), "Consumer-Under_Test9"))[SIGNATURE_HEADER]
    same = both(FORMS["header X-Signature"], FORMS["header Signature"])
    assert same.fix == FORMS["header Signature"].fix


def test_a_forged_form_looks_alike() -> None:
    """A form with a digest that means nothing has the same headers with values of the same length."""
    signed = Signed(payloads()[0], "msg_1", 1700000000)
    for form in WRONG_FORMS:
        genuine = form.sign(signed, SECRET)
        if genuine is not None:
            fake = headers_of(forged(form, bytes(range(64))), signed)
            assert [(name, len(value)) for name, value in fake] == [(name, len(value)) for name, value in genuine]
            assert fake != genuine


# ---------------------------------------------------------------- what an answer shows


@each_row("status", [400, 401, 403, 415, 422, 500, 503])
def test_what_a_signature_may_be_answered_is_no_reason_by_itself(status: int) -> None:
    assert reason_of(Response(status)) is None


@each_row(
    ("response", "words", "fix"),
    [
        (Response(302, headers=(("location", "/Login?next=/hook"),)), "to /Login", "CSRF protection and login"),
        (Response(308), "it redirects", "register the URL that handles"),
        (Response(403, body=b"CSRF token missing"), "CSRF", "exempt"),
    ],
)
def test_reasons_beside_the_signature(response: Response, words: str, fix: str) -> None:
    """A login, a redirect to nowhere and a protection for browsers are reported with what to do."""
    reason = reason_of(response)
    assert reason
    assert words in reason.explanation
    assert fix in reason.fix


def test_an_answer_that_hints_at_nothing() -> None:
    assert hint_of(Response(401, headers=(("content-type", "application/json"),))) == ""
