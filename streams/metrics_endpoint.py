"""The process's HTTP side for operators: /metrics, /ready (200 or 503) and /live, in a thread of its own."""

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

_READY = ("200 OK", b"ready\n")
_NOT_READY = ("503 Service Unavailable", b"not ready\n")

WSGIApp = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Endpoint:
    """A running server. `port` is the bound one, also where 0 was asked for."""

    def __init__(self, server: WSGIServer, thread: Thread) -> None:
        self._server = server
        self._thread = thread
        self.port: int = server.server_port

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def serve(registry: CollectorRegistry, host: str, port: int, is_ready: Callable[[], bool]) -> Endpoint:
    """Start answering; `is_ready` is asked at each request, from the server's thread.

    /live answers as long as the process runs. Raises OSError if the address cannot be bound.
    """
    application = _application(make_wsgi_app(registry), is_ready)
    server = make_server(host, port, application, _Server, _Silent)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    return Endpoint(server, thread)


def _application(metrics: WSGIApp, is_ready: Callable[[], bool]) -> WSGIApp:
    def answer(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "/")
        if path == "/metrics":
            return metrics(environ, start_response)
        if path == "/live":
            status, body = "200 OK", b"alive\n"
        elif path == "/ready":
            status, body = (
                ("200 OK", b"ready\n") if is_ready() else ("503 Service Unavailable", b"not ready\n")
            )
        else:
            status, body = "404 Not Found", b"/metrics /ready /live\n"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [body]

    return answer


class _Server(ThreadingWSGIServer):
    daemon_threads = True


class _Silent(WSGIRequestHandler):
    timeout = 10

    def log_message(self, format: str, *args: object) -> None:
        """Scrapes are not news."""
