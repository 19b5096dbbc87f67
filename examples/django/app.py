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
    return hmac.compare_digest(expected.encode(), signature.encode())


@csrf_exempt
@require_POST
def receive(request: HttpRequest) -> JsonResponse:
    """Note the runs that failed."""
    if not is_genuine(request.body, request.headers.get("X-Playgent-Signature", "")):
        return JsonResponse({"error": "invalid signature"}, status=401)
    event = json.loads(request.body)
    if event["event"] == "run.failed":
        failed_runs.append(event["data"]["run_id"])
    return JsonResponse({"ok": True})


urlpatterns = [path("webhooks/playgent", receive)]
application = get_wsgi_application()
