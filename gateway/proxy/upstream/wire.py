"""What an attempt asks of whatever carries its request: a pooled connection, or one built in."""

from collections.abc import Callable
from typing import Protocol

from gateway._native.http1 import Relay
from gateway._native.pump import Pump
from gateway._native.sse import StreamMeter
from gateway.proxy.upstream.connection import Receiver


class Wire(Protocol):
    """What an attempt asks of a connection, pooled or built in."""

    reused: bool
    started: bool
    closed: bool

    def request(self, data: bytes, receiver: Receiver) -> None: ...  # noqa: D102
    def abandon(self) -> None: ...  # noqa: D102
    def pause(self) -> None: ...  # noqa: D102
    def resume(self) -> None: ...  # noqa: D102
    def stop_relay(self) -> None: ...  # noqa: D102
    def send_away(self, pump: Pump, client: int) -> bool | None: ...  # noqa: D102
    def come_home(self) -> None: ...  # noqa: D102
    def relay(  # noqa: D102
        self, meter: StreamMeter, write: Callable[[bytes], None], grow_at: int, last: bytes
    ) -> Relay | None: ...
