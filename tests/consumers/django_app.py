"""The consumer in Django, served by waitress; there is no project around it, so settings are made in the process."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence

import django
import waitress
from django.conf import settings as django_settings
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from tests.consumers import inbox, program


class _Urls:
    """The addresses of one application object, in the shape of a URL configuration module."""

    def __init__(self, box: inbox.Inbox) -> None:
        self._box = box
        self.urlpatterns: Sequence[URLPattern] = (
            path(inbox.WEBHOOK_PATH.lstrip("/"), csrf_exempt(self.webhook)),
            path(inbox.EVENTS_PATH.lstrip("/"), csrf_exempt(self.events)),
            path(inbox.OBJECTS_PATH.lstrip("/") + "<str:object_id>", csrf_exempt(self.state)),
            path(inbox.FAIL_NEXT_PATH.lstrip("/"), csrf_exempt(self.fail_next)),
        )

    def webhook(self, request: HttpRequest) -> HttpResponse:
        if request.method != "POST":
            return _response(inbox.error(405))
        try:
            body = request.body
        except RequestDataTooBig:
            return _response(inbox.error(413))
        except UnreadablePostError:
            return _response(inbox.error(400))
        if len(body) > inbox.BODY_LIMIT:
            return _response(inbox.error(413))
        return _response(self._box.receive(body, request.headers.get(self._box.signature_header)))

    def events(self, request: HttpRequest) -> HttpResponse:
        if request.method not in {"GET", "DELETE"}:
            return _response(inbox.error(405))
        return _response(self._box.clear() if request.method == "DELETE" else self._box.report())

    def state(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return _response(self._box.state(object_id) if request.method == "GET" else inbox.error(405))

    def fail_next(self, request: HttpRequest) -> HttpResponse:
        return _response(self._box.fail_next() if request.method == "POST" else inbox.error(405))

    def handler400(self, _request: HttpRequest, **_exception: Exception) -> HttpResponse:
        return _response(inbox.error(400))

    def handler404(self, _request: HttpRequest, **_exception: Exception) -> HttpResponse:
        return _response(inbox.error(404))


class _WSGIApplication(WSGIHandler):  # type: ignore[misc] # Django ships no types
    def __init__(self, urls: _Urls) -> None:
        super().__init__()
        self._urls = urls

    def get_response(self, request: HttpRequest) -> HttpResponse:
        request.urlconf = self._urls  # Django's settings are global: only this way has each object its own inbox
        return super().get_response(request)


class _ASGIApplication(ASGIHandler):  # type: ignore[misc] # as above
    def __init__(self, urls: _Urls) -> None:
        super().__init__()
        self._urls = urls

    async def get_response_async(self, request: HttpRequest) -> HttpResponse:
        request.urlconf = self._urls
        return await super().get_response_async(request)


def create_app(secret: str) -> WSGIHandler:
    """The application as an object for any WSGI server, with an inbox of its own."""
    configure()
    return _WSGIApplication(_Urls(inbox.Inbox(secret)))


def create_asgi_app(secret: str) -> ASGIHandler:
    """The application as an object for any ASGI server, with an inbox of its own."""
    configure()
    return _ASGIApplication(_Urls(inbox.Inbox(secret)))


def configure() -> None:
    """Make the settings of this process, unless they were made before."""
    if django_settings.configured:
        return
    django_settings.configure(
        ALLOWED_HOSTS=["*"],
        DATA_UPLOAD_MAX_MEMORY_SIZE=inbox.BODY_LIMIT,
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
        ROOT_URLCONF=(),
        SECRET_KEY="there are no sessions here, so this signs nothing",
        USE_TZ=True,
    )
    django.setup()


def _response(answer: inbox.Answer) -> HttpResponse:
    return HttpResponse(answer.body, status=answer.status, content_type="application/json")


def main() -> None:
    """Serve until told to stop."""
    settings = program.read_settings()
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a request that waits for a thread is no news
    server = waitress.create_server(
        create_app(settings.secret),
        host=program.HOST,
        port=0,
        threads=8,
        max_request_body_size=inbox.DRAIN_LIMIT,
    )
    program.exit_on_sigterm()
    program.started(settings, server.effective_port)
    server.run()
    server.close()
    sys.exit(0)


if __name__ == "__main__":
    main()
