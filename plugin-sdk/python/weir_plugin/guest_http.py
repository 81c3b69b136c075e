"""Requests of a component: ``wasi:http``, waited for one after the other. Imported in components only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from componentize_py_types import Err, Ok
from wit_world.imports import http_types as _wit
from wit_world.imports import outgoing_handler, streams

from .errors import ConfigError, FatalError, PluginError, RetryError
from .http import Request, Response

#: Most bytes that a stream takes at once.
WRITE = 4096
#: Most bytes asked for at once.
READ = 256 << 10

_SCHEMES = {"http": _wit.Scheme_Http, "https": _wit.Scheme_Https}
_METHODS = {
    "GET": _wit.Method_Get,
    "HEAD": _wit.Method_Head,
    "POST": _wit.Method_Post,
    "PUT": _wit.Method_Put,
    "DELETE": _wit.Method_Delete,
    "PATCH": _wit.Method_Patch,
    "OPTIONS": _wit.Method_Options,
}
#: What became of a request, as an error that says whether it is worth another try.
_TOLD: dict[Any, tuple[type[PluginError], str]] = {
    _wit.ErrorCode_HttpRequestDenied: (ConfigError, "the grant does not have this request"),
    _wit.ErrorCode_DestinationIpProhibited: (
        ConfigError,
        "the host's address is not a public one, which the grant does not have",
    ),
    _wit.ErrorCode_HttpResponseBodySize: (ConfigError, "the response is larger than the grant allows"),
    _wit.ErrorCode_HttpRequestBodySize: (FatalError, "the request's body is too large"),
    _wit.ErrorCode_TlsCertificateError: (ConfigError, "the server's certificate cannot be trusted"),
    _wit.ErrorCode_DnsError: (RetryError, "the host's name cannot be resolved"),
    _wit.ErrorCode_DnsTimeout: (RetryError, "the host's name cannot be resolved"),
    _wit.ErrorCode_ConnectionRefused: (RetryError, "the host cannot be reached"),
    _wit.ErrorCode_ConnectionTimeout: (RetryError, "the host cannot be reached"),
    _wit.ErrorCode_ConnectionTerminated: (RetryError, "the host cannot be reached"),
    _wit.ErrorCode_HttpResponseTimeout: (RetryError, "the host took too long to answer"),
}


def send(request: Request) -> Response:
    """Sends a request, and waits for the head of the response."""
    outgoing = _outgoing(request)
    body = outgoing.body()
    try:
        coming = outgoing_handler.handle(outgoing, None)
    except Err as error:
        raise _told(error.value) from None
    with coming:
        # Taken by the host while it is written: so it is written after the request has begun.
        broken: PluginError | None = None
        try:
            _write(body, request.body)
        except PluginError as error:
            broken = error
        with coming.subscribe() as answered:
            answered.block()
        match coming.get():
            case Ok(Ok(response)):
                # What the host says of a request that it does not send is told before that it could not be written.
                if broken is not None:
                    response.__exit__(None, None, None)
                    raise broken
            case Ok(Err(code)):
                raise _told(code)
            case _:
                raise FatalError("a response was taken twice")
    with response.headers() as fields:
        found = fields.entries()
    headers = [(name.lower(), text) for name, value in found if (text := _utf8(value)) is not None]
    return Response(response.status(), headers, _Body(response))


def _outgoing(request: Request) -> Any:
    """The head of a request."""
    no_url = FatalError("a request's URL begins with https:// or http:// and a host")
    scheme, divider, rest = request.url.partition("://")
    if not divider or scheme not in _SCHEMES:
        raise no_url
    rest = rest.partition("#")[0]
    end = min((at for at in (rest.find("/"), rest.find("?")) if at >= 0), default=len(rest))
    authority, path = rest[:end], rest[end:]
    fields = _wit.Fields()
    for name, value in request.headers:
        try:
            fields.append(name, value.encode())
        except Err:
            raise FatalError(f"the header '{name}' may not be set") from None
    method = _METHODS.get(request.method)
    outgoing = _wit.OutgoingRequest(fields)
    try:
        outgoing.set_method(method() if method else _wit.Method_Other(request.method))
        outgoing.set_scheme(_SCHEMES[scheme]())
        outgoing.set_authority(authority)
        outgoing.set_path_with_query(path if path.startswith("/") else f"/{path}")
    except Err:
        raise no_url from None
    return outgoing


def _write(body: Any, sent: bytes) -> None:
    try:
        if sent:
            with body.write() as stream:
                for begin in range(0, len(sent), WRITE):
                    stream.blocking_write_and_flush(sent[begin : begin + WRITE])
    except Err:
        raise RetryError("the request broke off") from None
    try:
        _wit.OutgoingBody.finish(body, None)
    except Err as error:
        raise _told(error.value) from None


class _Body(Iterator[bytes]):
    """The bytes of a response. What they come from is dropped in the order that the host asks for."""

    def __init__(self, response: Any) -> None:
        body = response.consume()
        self._held = [response, body, body.stream()]
        self._fault: PluginError | None = None

    def __next__(self) -> bytes:
        while self._held:
            try:
                if chunk := self._held[-1].blocking_read(READ):
                    return chunk
            except Err as error:
                self._fault = _broken(error.value)
                self._drop()
        raise self._fault or StopIteration

    def __del__(self) -> None:
        self._drop()

    def _drop(self) -> None:
        while self._held:
            self._held.pop().__exit__(None, None, None)


def _broken(error: Any) -> PluginError | None:
    """Why there are no more bytes; nothing, if it is the end."""
    if isinstance(error, streams.StreamError_Closed):
        return None
    with error.value as cause:
        code = _wit.http_error_code(cause)
    return RetryError("the response broke off") if code is None else _told(code)


def _told(code: Any) -> PluginError:
    kind, words = _TOLD.get(type(code), (RetryError, ""))
    return kind(words or f"the request came to nothing ({type(code).__name__.removeprefix('ErrorCode_')})")


def _utf8(value: bytes) -> str | None:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return None
