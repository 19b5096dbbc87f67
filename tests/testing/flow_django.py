"""The application of the flows' tests in Django, which only the full tier has."""

from __future__ import annotations

from typing import Any

from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from tests.consumers.django_app import configure
from tests.testing.flow_frameworks import HEADER, Runs


class _Application(WSGIHandler):  # type: ignore[misc] # Django ships no type information
    def __init__(self, runs: Runs) -> None:
        super().__init__()
        self._runs = runs

    def get_response(self, request: HttpRequest) -> HttpResponse:
        # Settings are global, and other tests of this process may have made theirs: the addresses are the object's own.
        request.urlconf = (path("hooks", csrf_exempt(self._hooks)),)
        return super().get_response(request)

    def _hooks(self, received: HttpRequest) -> HttpResponse:
        return HttpResponse(status=self._runs.take(received.body, received.headers.get(HEADER)))


def django_app(runs: Runs) -> Any:
    configure()
    return _Application(runs)
