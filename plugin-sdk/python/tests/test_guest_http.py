"""Requests of a component, between stand-ins for the modules that ``componentize-py`` makes of ``wasi:http``."""

from __future__ import annotations

import gc
import re
import sys
import unittest
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import weir_plugin
from weir_plugin import ConfigError, FatalError, PluginError, RetryError
from weir_plugin.http import Request

WIT = (Path(weir_plugin.__file__).parent / "wit_http" / "http.wit").read_text(encoding="utf-8")


class Err(Exception):
    """The error of a result; raised, or given."""

    __match_args__ = ("value",)

    def __init__(self, value: Any = None) -> None:
        self.value = value


@dataclass
class Ok:
    value: Any


def cases(variant: str, prefix: str) -> dict[str, Any]:
    """The classes of a variant's cases, named as componentize-py names them."""
    found = re.search(rf"variant {variant} \{{(.*?)\}}", WIT, re.DOTALL)
    assert found is not None
    made = {}
    for name, value in re.findall(r"^\s*([\w-]+)(\(\S+\))?,$", found[1], re.MULTILINE):
        case = f"{prefix}_{''.join(part.capitalize() for part in name.split('-'))}"
        made[case] = make_dataclass(case, ["value"] if value else [])
    return made


class Host:
    """A host that notes what is asked of it, and what is dropped."""

    def __init__(self, wit: Any, chunks: list[Any], answer: Any = None, refused: Any = None) -> None:
        self.wit, self.chunks, self.answer, self.refused = wit, chunks, answer, refused
        self.seen: dict[str, Any] = {}
        self.dropped: list[str] = []
        self.written: list[bytes] = []
        self.handled = False

    def resource(self, name: str, **methods: Any) -> Any:
        """One that is dropped by `with`."""
        drop = lambda _, *__: self.dropped.append(name)  # noqa: E731
        own = {known: lambda _, *given, call=call: call(*given) for known, call in methods.items()}
        return type(name, (), {**own, "__enter__": lambda one: one, "__exit__": drop})()

    def set(self, key: str) -> Any:
        def call(value: Any) -> None:
            if value == "refused":
                raise Err()
            self.seen[key] = value

        return call

    def fields(self) -> Any:
        def append(name: str, value: bytes) -> None:
            if name == "host":
                raise Err()
            self.seen.setdefault("headers", []).append((name, value))

        return self.resource("fields", append=append)

    def outgoing(self, fields: Any) -> Any:
        setters = {f"set_{key}": self.set(key) for key in ("method", "scheme", "authority", "path_with_query")}
        stream = self.resource("writing", blocking_write_and_flush=self.write)
        return self.resource("outgoing", body=lambda: self.resource("body", write=lambda: stream), **setters)

    def write(self, part: bytes) -> None:
        assert self.handled, "the host takes a body once the request has begun"
        self.written.append(part)

    def handle(self, request: Any, options: Any) -> Any:
        if self.refused is not None:
            raise Err(self.refused)
        self.handled = True
        answered = self.resource("pollable", block=lambda: None)
        answer = self.answer or Ok(Ok(self.response()))
        return self.resource("future", subscribe=lambda: answered, get=lambda: answer)

    def response(self) -> Any:
        entries = [("X-One", b"1"), ("x-bad", b"\xff")]
        stream = self.resource("stream", blocking_read=self.read)
        body = self.resource("incoming-body", stream=lambda: stream)
        return self.resource(
            "response",
            status=lambda: 200,
            headers=lambda: self.resource("fields", entries=lambda: entries),
            consume=lambda: body,
        )

    def read(self, most: int) -> bytes:
        chunk = self.chunks.pop(0)
        if isinstance(chunk, Exception):
            raise chunk
        return chunk


class Transports(unittest.TestCase):
    def setUp(self) -> None:
        wit = ModuleType("http_types")
        vars(wit).update(cases("method", "Method"), **cases("scheme", "Scheme"), **cases("error-code", "ErrorCode"))
        streams = ModuleType("streams")
        vars(streams).update(cases("stream-error", "StreamError"))
        wit.http_error_code = lambda error: error.code  # type: ignore[attr-defined]
        handler = ModuleType("outgoing_handler")
        imports = ModuleType("wit_world.imports")
        vars(imports).update(__path__=[], http_types=wit, streams=streams, outgoing_handler=handler)
        results = ModuleType("componentize_py_types")
        vars(results).update(Err=Err, Ok=Ok)
        world = ModuleType("wit_world")
        vars(world).update(__path__=[], imports=imports)
        self.modules = {"wit_world": world, "wit_world.imports": imports, "componentize_py_types": results}
        sys.modules.update(self.modules)
        import weir_plugin.guest_http as guest_http

        self.guest_http: Any = guest_http
        self.wit: Any = wit
        self.streams: Any = streams
        self.handler: Any = handler

    def tearDown(self) -> None:
        for name in [*self.modules, "weir_plugin.guest_http"]:
            del sys.modules[name]

    def closed(self) -> Err:
        return Err(self.streams.StreamError_Closed())

    def failed(self, host: Host, code: Any) -> Err:
        error = host.resource("error")
        error.code = code
        return Err(self.streams.StreamError_LastOperationFailed(error))

    def host(self, *chunks: Any, **more: Any) -> Host:
        made = Host(self.wit, list(chunks), **more)
        self.wit.Fields, self.wit.OutgoingRequest = made.fields, made.outgoing
        self.wit.OutgoingBody = type("OutgoingBody", (), {"finish": staticmethod(lambda body, trailers: None)})
        self.handler.handle = made.handle
        return made

    def test_a_request_and_its_response(self) -> None:
        host = self.host(b"ab", b"", b"c", self.closed())
        sent = Request("POST", "https://h:8443/p?x=1#part", [("a", "é"), ("a", "2")], b"x" * 5000)
        response = self.guest_http.send(sent)
        self.assertEqual(
            host.seen,
            {
                "headers": [("a", "é".encode()), ("a", b"2")],
                "method": self.wit.Method_Post(),
                "scheme": self.wit.Scheme_Https(),
                "authority": "h:8443",
                "path_with_query": "/p?x=1",
            },
        )
        self.assertEqual([len(part) for part in host.written], [4096, 904])
        self.assertEqual((response.status, response.headers), (200, [("x-one", "1")]))
        self.assertEqual(response.bytes(), b"abc")
        # Each before what it belongs to, as the host asks for.
        self.assertEqual(host.dropped[-4:], ["fields", "stream", "incoming-body", "response"])

    def test_a_response_that_is_not_read_is_dropped(self) -> None:
        host = self.host(b"ab")
        del self.guest_http.send(Request("GET", "http://h"))._body
        gc.collect()
        self.assertEqual(host.dropped[-3:], ["stream", "incoming-body", "response"])
        self.assertEqual(host.seen["path_with_query"], "/")

    def test_urls(self) -> None:
        for url, authority, path in [
            ("http://h", "h", "/"),
            ("http://h?x=/", "h", "/?x=/"),
            ("http://h/a/b?c#d", "h", "/a/b?c"),
        ]:
            host = self.host()
            self.guest_http.send(Request("BREW", url))
            self.assertEqual((host.seen["authority"], host.seen["path_with_query"]), (authority, path))
            self.assertEqual(host.seen["method"], self.wit.Method_Other("BREW"))
        for url in ("h/p", "ftp://h", "://h", "http://refused"):
            self.host()
            with self.assertRaisesRegex(FatalError, "a request's URL begins with https:// or http:// and a host"):
                self.guest_http.send(Request("GET", url))
        with self.assertRaisesRegex(FatalError, "the header 'host' may not be set"):
            self.guest_http.send(Request("GET", "http://h", [("host", "x")]))

    def test_each_failure_says_whether_it_is_worth_another_try(self) -> None:
        codes: list[tuple[str, Any, type[PluginError], str]] = [
            ("HttpRequestDenied", (), ConfigError, "the grant does not have this request"),
            ("DestinationIpProhibited", (), ConfigError, "address is not a public one"),
            ("HttpResponseBodySize", (None,), ConfigError, "larger than the grant allows"),
            ("HttpRequestBodySize", (1,), FatalError, "the request's body is too large"),
            ("TlsCertificateError", (), ConfigError, "certificate cannot be trusted"),
            ("DnsError", (None,), RetryError, "name cannot be resolved"),
            ("DnsTimeout", (), RetryError, "name cannot be resolved"),
            ("ConnectionRefused", (), RetryError, "the host cannot be reached"),
            ("ConnectionTimeout", (), RetryError, "the host cannot be reached"),
            ("ConnectionTerminated", (), RetryError, "the host cannot be reached"),
            ("HttpResponseTimeout", (), RetryError, "took too long to answer"),
            ("HttpProtocolError", (), RetryError, r"came to nothing \(HttpProtocolError\)$"),
            ("InternalError", ("canary",), RetryError, r"came to nothing \(InternalError\)$"),
        ]
        for name, values, kind, words in codes:
            code = getattr(self.wit, f"ErrorCode_{name}")(*values)
            for more in ({"refused": code}, {"answer": Ok(Err(code))}):
                self.host(**more)
                with self.assertRaisesRegex(kind, words):
                    self.guest_http.send(Request("GET", "http://h"))

    def test_a_body_that_breaks_off(self) -> None:
        size = self.wit.ErrorCode_HttpResponseBodySize(None)
        for code, kind, words in [(None, RetryError, "the response broke off"), (size, ConfigError, "larger than the")]:
            host = self.host(b"ab")
            host.chunks.append(self.failed(host, code))
            response = self.guest_http.send(Request("GET", "http://h"))
            for _ in range(2):  # What came before is no whole body, however often it is asked for.
                with self.assertRaisesRegex(kind, words):
                    response.bytes()
            self.assertEqual(host.dropped[-4:], ["error", "stream", "incoming-body", "response"])


if __name__ == "__main__":
    unittest.main()
