"""A small server for the live page: files, a stream of news, and rounds on demand."""

import asyncio
import errno
import json
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from importlib.resources import files
from ipaddress import ip_address
from pathlib import Path

import uvicorn
from plotly.offline import get_plotlyjs
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fedray.errors import UserError
from fedray.watch.run_index import RunIndex

LOOK_SECONDS = 0.5  # how often the folders are looked at
HEARTBEAT_SECONDS = 15.0  # what keeps proxies from closing a silent stream
TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    # plotly writes style attributes; everything else comes from files of ours
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


class EventStream:
    """Responsibilities: look for news as long as the server lives, and count the views of each run."""

    def __init__(self, run_index: RunIndex, is_over: Callable[[], bool]) -> None:
        self.run_index = run_index
        self.is_over = is_over
        self.versions: dict[str, int] = {}

    async def poll(self) -> None:
        """As long as this goes on, news come."""
        while True:
            for name in await run_in_threadpool(self.run_index.poll):
                self.versions[name] = self.versions.get(name, 0) + 1
            for gone in self.versions.keys() - self.run_index.views.keys():
                del self.versions[gone]
            await asyncio.sleep(LOOK_SECONDS)

    @asynccontextmanager
    async def looking(self, _: Starlette) -> AsyncIterator[None]:
        """While the server lives."""
        self.task = asyncio.create_task(self.poll())
        yield
        self.task.cancel()

    async def news(self) -> AsyncIterator[str]:
        """Server-sent events: the whole view of each run that changed, all of them at first; what cannot be read."""
        sent: dict[str, int] = {}
        told = {"runs": "", "problems": ""}
        silent = 0.0
        yield "retry: 1000\n\n"
        while not self.is_over():
            if self.task.done():
                self.task.result()  # what ended it ends the stream, too: who listens must know that nothing comes
            for name, version in list(self.versions.items()):
                if sent.get(name) != version and name in self.run_index.views:
                    sent[name], silent = version, 0.0
                    yield f"data: {json.dumps(asdict(self.run_index.views[name]))}\n\n"
            for what, names in (("runs", list(self.versions)), ("problems", self.run_index.problems)):
                if told[what] != (text := json.dumps(names)):
                    told[what] = text
                    yield f"event: {what}\ndata: {text}\n\n"
            await asyncio.sleep(LOOK_SECONDS / 2)
            silent += LOOK_SECONDS / 2
            if silent >= HEARTBEAT_SECONDS:
                silent = 0.0
                yield ": still here\n\n"


class TokenAuth:
    """Responsibilities: let in who has the token, where there is one, and say what browsers may do with the answers."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self.app = app
        self.token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http" or _is_let_in(Request(scope), self.token):
            await self.app(scope, receive, send_with_headers)
        else:
            await _login(Request(scope), self.token)(scope, receive, send_with_headers)


def application(run_index: RunIndex, token: str | None, hosts: Sequence[str], is_over: Callable[[], bool]) -> Starlette:
    """The page of the runs of `run_index`, served to these host names, and behind the token if there is one.

    Streams end when `is_over` says so.
    """
    stream = EventStream(run_index, is_over)

    async def page(_: Request) -> Response:
        return _file("index.html")

    async def asset(request: Request) -> Response:
        return _file(request.path_params["name"])

    async def news(_: Request) -> Response:
        return StreamingResponse(stream.news(), media_type="text/event-stream")

    async def round_(request: Request) -> Response:
        name, number = request.query_params.get("run", ""), request.query_params.get("round", "")
        if not number.isdecimal():
            return PlainTextResponse("round: a number", 400)
        try:
            found = await run_in_threadpool(run_index.round, name, int(number))
        except (UserError, OSError) as error:
            return PlainTextResponse(str(error), 422)
        return JSONResponse(asdict(found)) if found else PlainTextResponse("no such round", 404)

    return Starlette(
        routes=[
            Route("/", page),
            Route("/news", news),
            Route("/round", round_),
            Route("/assets/{name}", asset),
        ],
        middleware=[
            Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts)),  # no page elsewhere can make a browser ask
            Middleware(TokenAuth, token=token),
            Middleware(GZipMiddleware, minimum_size=10_000),
        ],
        lifespan=stream.looking,
    )


def serve(run_index: RunIndex, bind: str, port: int, ready: Callable[[str], None]) -> None:
    """Serve until interrupted; `ready` gets the address to open, with a token in it beyond loopback.

    Raises
    ------
    UserError
        if there is no such address, or the port is taken.
    """
    token = None if is_loopback(bind) else secrets.token_urlsafe(24)
    hosts = ["localhost", "127.0.0.1", "[::1]"] if token is None else ["*"]
    app = application(run_index, token, hosts, lambda: server.should_exit)
    config = uvicorn.Config(app, host=bind, port=port, log_level="error")
    server = uvicorn.Server(config)
    listening = _listen(bind, port)
    everywhere = bind in ("0.0.0.0", "::")
    host = socket.gethostname() if everywhere else f"[{bind}]" if ":" in bind else bind
    ready(f"http://{host}:{listening.getsockname()[1]}/" + (f"?token={token}" if token else ""))
    server.run(sockets=[listening])


def _listen(bind: str, port: int) -> socket.socket:
    """Who comes before the server runs waits a little, instead of being turned away."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    try:
        return socket.create_server((bind, port), family=family)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"--bind: {bind} is no address of this machine") from None
        raise UserError(f"--port: cannot serve on {bind}:{port}: {error.strerror}; allowed: 0 for any") from None


def is_loopback(bind: str) -> bool:
    """Whether an address can be reached from this machine only; UserError if it is none."""
    if bind == "localhost":
        return True
    try:
        return ip_address(bind).is_loopback
    except ValueError:
        raise UserError(f"--bind: given {bind!r}; allowed: an IP address or localhost") from None


def _file(name: str) -> Response:
    """A file of the page, or plotly's script from its package: the page needs no network."""
    if name == "plotly.js":
        return Response(get_plotlyjs(), media_type=TYPES[".js"])
    found = {file.name: file for file in files("fedray.watch").joinpath("page").iterdir()}
    if name not in found:
        return PlainTextResponse("no such file", 404)
    return Response(found[name].read_bytes(), media_type=TYPES[Path(name).suffix])


def _is_let_in(request: Request, token: str | None) -> bool:
    if token is None:
        return True
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    shown = bearer if scheme.lower() == "bearer" else request.cookies.get(_cookie(request), "")
    return secrets.compare_digest(shown.encode(), token.encode())


def _login(request: Request, token: str | None) -> Response:
    """Who brings the token in the address gets it as a cookie, so that it leaves the address; others learn how."""
    brought = request.query_params.get("token", "")
    if token is None or not secrets.compare_digest(brought.encode(), token.encode()):
        return PlainTextResponse("fedray watch: open the address that it printed, with its token\n", 401)
    response = RedirectResponse("/", 303)
    response.set_cookie(_cookie(request), token, httponly=True, samesite="strict")
    return response


def _cookie(request: Request) -> str:
    """Cookies know no ports, so that pages on two of them would take each other's."""
    return f"fedray-watch-{request.url.port}"
