"""What the answer to a correct delivery shows of the reason why it was refused, without sending anything more."""

from __future__ import annotations

import msgspec

from mockserver.model.messages import Response


class Reason(msgspec.Struct, frozen=True):
    """Why a delivery is refused.

    Args:
        explanation: What the consumer does; the sentence begins with ``it``.
        fix: What to do about it.
    """

    explanation: str
    fix: str


_ROUTE = "give the URL at which the consumer takes events: see its routes, a prefix of theirs, and slashes at the end"
_LOGIN = "exempt the webhook's route from CSRF protection and login: the signature is its protection"

_BY_STATUS = {
    404: Reason("it answers 404: most likely nothing takes events at this path", _ROUTE),
    405: Reason("it answers 405: something is at this path, but it does not take POST", _ROUTE),
    410: Reason("it answers 410: what took events at this path is gone", _ROUTE),
    413: Reason("it answers 413: even a small event is too large for it", "raise the limit for bodies to 1 MB or more"),
    419: Reason("it answers 419: the CSRF protection of its framework refuses what comes without a token", _LOGIN),
    429: Reason("it answers 429: it limits how often events may come", "exempt the webhook's route from the limit"),
    502: Reason("it answers 502: a proxy is in front, and cannot reach it", "see whether the consumer runs"),
    504: Reason("it answers 504: a proxy is in front, and got no answer from it", "see whether the consumer hangs"),
}


def reason_of(response: Response) -> Reason | None:
    """Return why a delivery is refused, where the answer says so and the signature cannot be the reason.

    Args:
        response: The answer.
    """
    if 300 <= response.status < 400:
        return _redirected(response)
    if response.status in (400, 403) and b"csrf" in response.body.lower():
        explanation = f"it answers {response.status}: the CSRF protection of its framework refuses it"
        return Reason(explanation, _LOGIN)
    return _BY_STATUS.get(response.status)


def hint_of(response: Response) -> str:
    """Return what an answer may mean where the signature may be the reason too; empty if it says nothing.

    Args:
        response: The answer.
    """
    scheme = _header(response, "www-authenticate").partition(" ")[0].lower()
    if response.status == 401 and scheme in ("basic", "bearer", "digest", "negotiate"):
        return f"it asks for a login (`WWW-Authenticate: {scheme}`), which may stand before the verification"
    if "html" in _header(response, "content-type") and b"</" in response.body:
        return "its answer is an HTML page, which may come from something that stands before the verification"
    if response.status in (400, 422):
        return f"it answers {response.status}, so it may refuse the payload before it verifies"
    if response.status >= 500:
        return f"it answers {response.status}, so it may break before it verifies: see its log"
    return ""


def _redirected(response: Response) -> Reason:
    where = _header(response, "location")
    to = f" to {where}" if where else ""
    login = any(word in where.lower() for word in ("login", "signin", "sign-in", "auth"))
    fix = _LOGIN if login else f"register {where or 'the URL at which events are taken'}: senders follow no redirects"
    return Reason(f"it answers {response.status}: it redirects{to}", fix)


def _header(response: Response, name: str) -> str:
    return next((value for known, value in response.headers if known == name), "")
