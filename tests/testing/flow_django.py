"""The application of the flows' tests in Django, which only the full tier has."""

from __future__ import annotations

from typing import Any

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import path

from tests.testing.flow_frameworks import HEADER, Runs


def django_app(runs: Runs) -> Any:
    def hooks(received: HttpRequest) -> HttpResponse:
        return HttpResponse(status=runs.take(received.body, received.headers.get(HEADER)))

    if not settings.configured:
        settings.configure(ROOT_URLCONF=(path("hooks", hooks),), ALLOWED_HOSTS=["*"], SECRET_KEY="flows", MIDDLEWARE=[])
        django.setup()
    return WSGIHandler()
