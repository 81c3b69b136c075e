"""Requests to what the step grants: ``grant = { http = [{ url = "https://api.example.org/" }] }``.

The host holds each request against the grant, resolves names, and puts in the secrets of the grant: the plugin never
has them. It follows no redirect. In a component a request is ``wasi:http``; in tests it is answered by
:meth:`Harness.respond <weir_plugin.testing.Harness.respond>`. ::

    from weir_plugin import http

    visits = http.get("https://api.example.org/visits", params={"page": 2}).ok().json()

Only a source makes requests. Import this module where the source's own begins: a component whose source does not, asks
for no network, and so needs no grant of it.
"""

from __future__ import annotations

import json as _json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from . import host as _host
from .errors import ConfigError, DataError, FatalError, RetryError

#: Names and values, of parameters or headers; as pairs where a name comes twice.
Pairs = Mapping[str, Any] | Iterable[tuple[str, Any]]


def get(url: str, *, params: Pairs = (), headers: Pairs = ()) -> Response:
    """Sends a ``GET`` request; raises what :meth:`Request.send` does."""
    return request("GET", url, params=params, headers=headers)


def post_json(url: str, body: Any, *, params: Pairs = (), headers: Pairs = ()) -> Response:
    """Sends a ``POST`` request with a JSON body; raises what :meth:`Request.send` does."""
    try:
        sent = _json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError):
        raise FatalError("the body of a request is no JSON") from None
    headers = [("content-type", "application/json"), *_pairs(headers)]
    return request("POST", url, params=params, headers=headers, body=sent)


def request(method: str, url: str, *, params: Pairs = (), headers: Pairs = (), body: bytes = b"") -> Response:
    """Sends a request of any method; raises what :meth:`Request.send` does.

    ``params`` are added to the query of the URL, encoded. Those that are ``None`` are left out, headers likewise.
    """
    for name, value in _pairs(params):
        url += f"{'&' if '?' in url else '?'}{quote(name, safe='')}={quote(value, safe='')}"
    return Request(method, url, _pairs(headers), body).send()


@dataclass(frozen=True, slots=True)
class Request:
    """A request."""

    #: Its method, in capitals.
    method: str
    #: Where it goes: scheme, host, perhaps a port, path and query.
    url: str
    #: Its headers, in the order given.
    headers: Sequence[tuple[str, str]] = ()
    #: What it sends; at most 8 MiB.
    body: bytes = b""

    def send(self) -> Response:
        """Sends it, and waits for the head of the response.

        Raises a :class:`ConfigError` if the step does not grant it (the host says what to add), a :class:`RetryError`
        if there is no connection or no answer in time, and a :class:`FatalError` for a URL that is none.
        """
        return _host.send(self)


@dataclass
class Response:
    """A response of which the body has not been read yet."""

    #: Its status, such as 200.
    status: int
    #: Its headers, names in lower case, values as far as they are UTF-8.
    headers: list[tuple[str, str]]
    _body: Iterator[bytes] = field(repr=False)
    _whole: bytes | None = field(default=None, repr=False)

    def header(self, name: str) -> str | None:
        """The first header of this name, in whatever case."""
        return next((value for known, value in self.headers if known == name.lower()), None)

    def ok(self) -> Response:
        """Itself, if the status is 2xx.

        Raises a :class:`RetryError` for 408, 425, 429 and 5xx, a :class:`ConfigError` for 401 and 403, else a
        :class:`DataError`.
        """
        says = f"the server answers with status {self.status}"
        match self.status:
            case status if 200 <= status <= 299:
                return self
            case status if status in (408, 425, 429) or 500 <= status <= 599:
                raise RetryError(says)
            case 401 | 403:
                raise ConfigError(f"{says}: look at the secrets of the grant")
            case status if 300 <= status <= 399:
                raise DataError(f"{says}, a redirect; grant and configure where it leads to")
        raise DataError(says)

    def chunks(self) -> Iterator[bytes]:
        """The bytes of the body as they come, once.

        Raises a :class:`RetryError` if it breaks off or takes too long, and a :class:`ConfigError` if it is larger
        than the grant allows.
        """
        return self._body

    def bytes(self) -> _Bytes:
        """The whole body, or what :meth:`chunks` left of it; any number of times. Raises what :meth:`chunks` does."""
        if self._whole is None:
            self._whole = b"".join(self._body)
        return self._whole

    def text(self) -> str:
        """The whole body as text; a :class:`DataError` if it is no UTF-8."""
        try:
            return self.bytes().decode()
        except UnicodeDecodeError:
            raise DataError("the response is no UTF-8") from None

    def json(self, *, parse_float: Callable[[str], Any] = float) -> Any:
        """The whole body as JSON; a :class:`DataError` if it is none.

        Amounts are exact with ``parse_float=Decimal``.
        """
        text = self.text()
        try:
            return _json.loads(text, parse_float=parse_float, parse_constant=_no_constant)
        except _json.JSONDecodeError as error:
            # The error's own words may quote a value.
            place = f", at line {error.lineno} column {error.colno}"
        except (ValueError, RecursionError):
            place = ""
        raise DataError(f"the response is not the JSON that was expected{place}")


_Bytes = bytes


def _pairs(given: Pairs) -> list[tuple[str, str]]:
    pairs = given.items() if isinstance(given, Mapping) else given
    return [(name, str(value)) for name, value in pairs if value is not None]


def _no_constant(name: str) -> Any:
    raise ValueError(f"JSON has no {name}")
