"""The server of the laboratory: on 127.0.0.1 only, with a token, for pages of its own only."""

import hmac
import secrets
import socket
from collections.abc import Callable
from importlib.resources import files
from urllib.parse import parse_qsl, urlencode

import marimo
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route

from kvnet.errors import InputError
from kvnet.lab.pages import CHAPTERS

HOST = "127.0.0.1"
FIRST = next(iter(CHAPTERS))
TOKEN = "access_token"
POLICY = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'; "
    "base-uri 'self'; frame-ancestors 'none'"
)
"""What a page may load: nothing from elsewhere."""


class Guard:
    """ASGI middleware that lets through requests with the token, from the laboratory's own pages.

    The first request has the token in its address and gets a cookie; the page is then loaded again
    without the token. Requests of pages of other origins are refused, and requests for another host
    name, which a foreign page may have directed here.

    Parameters
    ----------
    app : ASGI application
    token : str
    port : int
    """

    def __init__(self, app: Callable, token: str, port: int):
        self.app, self.token = app, token
        self.cookie, self._session = f"kvnet_lab_{port}", secrets.token_urlsafe(32)
        self.hosts = {f"{name}:{port}" for name in (HOST, "localhost")}

    async def __call__(self, scope, receive, send):
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(HTTPConnection(scope))
        if refusal is None:
            await self.app(scope, receive, self._with_policy(send))
        elif scope["type"] == "http":
            await refusal(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _refusal(self, request) -> Response | None:
        """Return the response to a request that is not passed on; None if it is."""
        headers = request.headers
        if headers.get("host") not in self.hosts:
            return PlainTextResponse("This host name is not that of the laboratory.", 403)
        if "origin" in headers and headers["origin"] != f"http://{headers['host']}":
            return PlainTextResponse("Requests from other pages are refused.", 403)
        elsewhere = headers.get("sec-fetch-site") in ("cross-site", "same-site")
        if elsewhere and headers.get("sec-fetch-mode") != "navigate":
            return PlainTextResponse("Requests from other pages are refused.", 403)
        if _equal(request.cookies.get(self.cookie), self._session):
            return None
        if not _equal(request.query_params.get(TOKEN), self.token):
            return PlainTextResponse(
                "The access token is missing or wrong. Open the address that kvnet-lab printed.",
                401,
            )
        others = [pair for pair in parse_qsl(request.url.query) if pair[0] != TOKEN]
        address = request.url.path + (f"?{urlencode(others)}" if others else "")
        response = RedirectResponse(address, 303)
        response.set_cookie(self.cookie, self._session, httponly=True, samesite="lax")
        return response

    @staticmethod
    def _with_policy(send):
        async def send_with_policy(message):
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", []),
                    (b"content-security-policy", POLICY.encode()),
                    (b"referrer-policy", b"no-referrer"),
                    (b"x-content-type-options", b"nosniff"),
                ]
            await send(message)

        return send_with_policy


def _equal(given, expected):
    return given is not None and hmac.compare_digest(given.encode(), expected.encode())


def application(token: str, port: int) -> Guard:
    """Return the laboratory as an ASGI application.

    Parameters
    ----------
    token : str
    port : int
    """
    builder = marimo.create_asgi_app(quiet=True, asset_url=f"/{FIRST}")  # one copy for all
    for name in CHAPTERS:
        root = files("kvnet.lab.chapters").joinpath(f"{name}.py")
        builder = builder.with_app(path=f"/{name}", root=str(root))
    first = Route("/", lambda request: RedirectResponse(f"/{FIRST}/"))
    return Guard(Starlette(routes=[first, Mount("/", builder.build())]), token, port)


def listening_socket(port: int) -> socket.socket:
    """Return a socket that listens on a port of 127.0.0.1; 0 is any free one.

    Raises
    ------
    InputError
        If the port is taken or may not be used.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise InputError(
            f"--port {port} cannot be used ({error.strerror}); give another, or leave the flag out"
        ) from None
    return listening


def serve(listening: socket.socket, app: Guard) -> None:
    """Serve an application until Ctrl-C."""
    config = uvicorn.Config(
        app, log_level="error", lifespan="off", timeout_graceful_shutdown=1, access_log=False
    )
    uvicorn.Server(config).run(sockets=[listening])
