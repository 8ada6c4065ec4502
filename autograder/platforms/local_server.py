"""Pages for the person at this machine alone: a loopback address, a secret in the URL, nothing but reading.

Another site that is open in the same browser can send requests here. It can't guess the secret, the `Host` header tells a
name of its own that it pointed at this machine, and what is answered lets nobody frame it, cache it or run scripts but ours.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

LOOPBACK = "127.0.0.1"
HTML = "text/html; charset=utf-8"
IDLE_SECONDS = 30  # how long a connection may say nothing

# path, nonce of the page's own scripts -> content and its type; None where there is no such page
Answer = Callable[[str, str], tuple[bytes, str] | None]


class LocalServer(ThreadingHTTPServer):
    """Answers at `url`, as long as `serve_forever` runs. Port 0: one that is free. OSError where the port is taken."""

    daemon_threads = True

    def __init__(self, port: int, answer: Answer) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.answer = answer
        self.token = secrets.token_urlsafe(32)
        self.hosts = (f"{LOOPBACK}:{self.server_port}", f"localhost:{self.server_port}")

    @property
    def url(self) -> str:
        return f"http://{self.hosts[0]}/{self.token}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that left is no error; what went wrong in a page is answered by the page."""


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer
    timeout = IDLE_SECONDS
    server_version, sys_version = "autograder", ""

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def _answer(self, with_body: bool) -> None:
        nonce = secrets.token_urlsafe(16)
        hosts = self.headers.get_all("Host", [])
        if len(hosts) != 1 or hosts[0].lower() not in self.server.hosts:
            self.send_error(HTTPStatus.MISDIRECTED_REQUEST)
            return
        token, _, path = urlsplit(self.path).path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode("utf-8", "replace"), self.server.token.encode())
        found = self.server.answer(unquote(path), nonce) if known else None
        if found is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content, kind = found
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self._guard(nonce)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def _guard(self, nonce: str) -> None:
        policy = (
            f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'nonce-{nonce}'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        for name, value in (
            ("Content-Security-Policy", policy),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),  # the address holds the secret
            ("X-Content-Type-Options", "nosniff"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ):
            self.send_header(name, value)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """A short refusal that repeats nothing of the request. Other methods than GET and HEAD come here, too."""
        if code == HTTPStatus.NOT_IMPLEMENTED:
            code = HTTPStatus.METHOD_NOT_ALLOWED
        said = f"{int(code)} {HTTPStatus(code).phrase}\n".encode()
        self.close_connection = True
        self.send_response(code)
        if code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.send_header("Allow", "GET, HEAD")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(said)))
        self.send_header("Connection", "close")
        self._guard("none")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line would hold the secret."""
