"""The Prometheus endpoint of a run: its own registry, rendered from the last snapshot."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from errno import EADDRNOTAVAIL
from http.server import HTTPServer
from socket import gaierror
from threading import Thread

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from fedray.errors import UserError
from fedray.telemetry.families import families
from fedray.telemetry.snapshot import Live, Snapshot


class _SnapshotCollector(Collector):
    """Yields every declared metric of the last snapshot, and of what goes on meanwhile."""

    def __init__(self, live: Callable[[], Live]) -> None:
        self.snapshot: Snapshot | None = None
        self.live = live

    def collect(self) -> Iterable[Family]:
        snapshot = self.snapshot
        return families([(replace(snapshot, live=self.live()), None)]) if snapshot else ()


class Exporter:
    """Serves snapshots at http://bind:port/metrics until closed."""

    def __init__(self, port: int, bind: str, live: Callable[[], Live]) -> None:
        """Port 0 takes any free one; `live` is asked at every scrape; UserError if the address cannot be had."""
        self._collector = _SnapshotCollector(live)
        registry = CollectorRegistry()
        registry.register(self._collector)
        try:
            self._server: HTTPServer
            self._thread: Thread
            self._server, self._thread = start_http_server(port, addr=bind, registry=registry)
        except OSError as error:
            word = "bind" if isinstance(error, gaierror) or error.errno == EADDRNOTAVAIL else "port"
            raise UserError(f"telemetry.prometheus_{word}: cannot serve on {bind}:{port}: {error.strerror}") from None

    @property
    def url(self) -> str:
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}/metrics"

    def publish(self, snapshot: Snapshot) -> None:
        """Make a snapshot the one that is served."""
        self._collector.snapshot = snapshot

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
