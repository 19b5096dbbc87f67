"""A webhook handler in Django. In a project of your own the first lines and the last are there already."""

import hashlib
import hmac
import json
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

settings.configure(ROOT_URLCONF=__name__, SECRET_KEY="of an example", ALLOWED_HOSTS=["your-app.com"])

SECRET = os.environ.get("PLAYGENT_WEBHOOK_SECRET", "whsec_test")
failed_runs: list[str] = []


def is_genuine(body: bytes, signature: str) -> bool:
    """Whether a body was signed with our secret."""
    expected = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode(errors="replace"))


def failed_run(body: bytes) -> str | None:
    """The run that failed, if that is what an event is about.

    Raises:
        ValueError: The body is not an event: 400 says so, and it is not sent again in vain.
    """
    try:
        event = json.loads(body)
        return event["data"]["run_id"] if event["event"] == "run.failed" else None
    except (RecursionError, TypeError, KeyError) as error:
        raise ValueError("not an event") from error


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> JsonResponse:
    """Note the runs that failed."""
    if not is_genuine(request.body, request.headers.get("X-Playgent-Signature", "")):
        return JsonResponse({"error": "invalid signature"}, status=401)
    try:
        run = failed_run(request.body)
    except ValueError:
        return JsonResponse({"error": "not an event"}, status=400)
    if run is not None:
        failed_runs.append(run)
    return JsonResponse({"ok": True})


urlpatterns = [path("webhooks/playgent", receive)]
application = get_wsgi_application()
