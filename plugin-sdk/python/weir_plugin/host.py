"""What a plugin may ask of the host: a line in its log, an addition to a counter, a secret; a source a request, all
others the rows of a side input.

In a component the calls cross to the host. Natively they go to the
:class:`~weir_plugin.testing.Harness` that runs the plugin, or, outside of one, to stderr.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from .errors import FatalError

if TYPE_CHECKING:
    from .columns import Batch
    from .http import Request, Response
    from .info import SideInput


class Host(Protocol):
    """Where the calls go."""

    def log(self, level: str, message: str) -> None:
        """Takes a log line; the level is ``debug``, ``info`` or ``warn``."""

    def metric(self, name: str, value: float) -> None:
        """Takes an addition to a counter."""

    def secret(self, name: str) -> str | None:
        """Looks a secret up."""

    def send(self, request: Request) -> Response:
        """Sends a request, and waits for the head of the response."""

    def next_rows(self, place: int, table: SideInput) -> Batch | None:
        """The next rows of the side input at this place; ``None`` when all of them have been given."""


class _Native:
    def log(self, level: str, message: str) -> None:
        print(f"{level}: {message}", file=sys.stderr)

    def metric(self, name: str, value: float) -> None:
        pass

    def secret(self, name: str) -> str | None:
        raise FatalError("there is no host to ask for a secret; use weir_plugin.testing.Harness")

    def send(self, request: Request) -> Response:
        raise FatalError("there is no host to send a request; use weir_plugin.testing.Harness")

    def next_rows(self, place: int, table: SideInput) -> Batch | None:
        raise FatalError(f"the side input `{table.name}` has no rows: there is no test")


_host: Host = _Native()


def connect(host: Host) -> Host:
    """Sends all calls to ``host`` from now on; returns where they went before."""
    global _host
    before, _host = _host, host
    return before


class log:
    """Lines in the plugin's log, which only the plugin's operator may read.

    The host bounds them. Keep values of the data out of them.
    """

    @staticmethod
    def debug(message: str) -> None:
        """Logs what is of use to the plugin's author."""
        _host.log("debug", message)

    @staticmethod
    def info(message: str) -> None:
        """Logs a normal event."""
        _host.log("info", message)

    @staticmethod
    def warn(message: str) -> None:
        """Logs something recoverable that a person should know."""
        _host.log("warn", message)


def metric(name: str, value: float) -> None:
    """Adds ``value`` to the counter ``name``, which the run record shows as a sum over all batches."""
    _host.metric(name, value)


def secret(name: str) -> str | None:
    """The secret that the step grants under ``name``; ``None`` if there is no such grant.

    Build the plugin with ``--secrets``. It then runs only in steps that grant it a secret.
    """
    return _host.secret(name)


def send(request: Request) -> Response:
    """Sends a request of a source; it is :meth:`Request.send <weir_plugin.http.Request.send>`."""
    return _host.send(request)


def next_rows(place: int, table: SideInput) -> Batch | None:
    """The next rows of a side input, for :meth:`SideInputs.read <weir_plugin.SideInputs.read>`."""
    return _host.next_rows(place, table)
