"""The consumer in Flask, served by werkzeug with a thread for each connection."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.consumers import inbox, mistakes, program
from tests.consumers.mistakes import flask_layer


class QuietHandler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Write no access log."""


def create_app(secret: str, mistake: str | None = None) -> Flask:
    """The application: an object for any WSGI server, with an inbox of its own; correct unless given a mistake."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = inbox.DRAIN_LIMIT
    app.url_map.merge_slashes = False  # no redirect for an address that is nearly right
    box = mistakes.make_inbox(secret, mistake)

    @app.post(inbox.WEBHOOK_PATH, provide_automatic_options=False)
    def receive() -> Response:
        body = request.get_data(cache=False)
        if len(body) > inbox.BODY_LIMIT:
            raise RequestEntityTooLarge
        return _response(box.receive(body, request.headers.get(box.signature_header)))

    @app.get(inbox.EVENTS_PATH)
    def report() -> Response:
        return _response(box.report())

    @app.delete(inbox.EVENTS_PATH)
    def clear() -> Response:
        return _response(box.clear())

    @app.get(inbox.OBJECTS_PATH + "<object_id>")
    def state(object_id: str) -> Response:
        return _response(box.state(object_id))

    @app.post(inbox.FAIL_NEXT_PATH)
    def fail_next() -> Response:
        return _response(box.fail_next())

    @app.errorhandler(HTTPException)
    def refuse(problem: HTTPException) -> Response:
        return _response(inbox.error(problem.code or 500))

    flask_layer.install(mistake, app)
    return app


def _response(answer: inbox.Answer) -> Response:
    return Response(answer.body, answer.status, content_type="application/json")


def main() -> None:
    """Serve until told to stop."""
    settings = program.read_settings()
    app = create_app(settings.secret, settings.mistake)
    threaded = flask_layer.is_threaded(settings.mistake)
    server = make_server(program.HOST, 0, app, threaded=threaded, request_handler=QuietHandler)
    program.exit_on_sigterm()
    program.started(settings, server.port)
    server.serve_forever()


if __name__ == "__main__":
    main()
