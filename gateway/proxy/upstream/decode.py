"""Bodies a provider compressed although it was asked not to: incremental, bounded inflation.

A body that grows more than MAX_RATIO times past FREE_BYTES of output is a bomb and is refused.
"""

import zlib

from gateway.base.errors import ResponseTooLarge, UpstreamBadResponse

MAX_RATIO = 100
FREE_BYTES = 8 * 2**20
STEP_BYTES = 256 * 1024  # inflated at most at a time, so memory stays small


class Inflater:
    """Turns gzip or deflate bytes into plain ones, piece by piece."""

    __slots__ = ("_bytes_in", "_bytes_out", "_zlib")

    def __init__(self, encoding: bytes) -> None:
        """Raises UpstreamBadResponse for an encoding other than gzip, x-gzip and deflate."""
        if encoding in (b"gzip", b"x-gzip"):
            self._zlib = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        elif encoding == b"deflate":
            self._zlib = zlib.decompressobj()
        else:
            raise UpstreamBadResponse("The provider's answer has an unknown encoding.")
        self._bytes_in = self._bytes_out = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Inflate some bytes to pieces of at most STEP_BYTES.

        Raises UpstreamBadResponse on damaged data and ResponseTooLarge on a bomb.
        """
        pieces: list[bytes] = []
        self._bytes_in += len(data)
        while data:
            try:
                piece = self._zlib.decompress(data, STEP_BYTES)
            except zlib.error:
                raise UpstreamBadResponse("The provider's compressed answer is damaged.") from None
            self._bytes_out += len(piece)
            if self._bytes_out > FREE_BYTES and self._bytes_out > MAX_RATIO * self._bytes_in:
                raise ResponseTooLarge()
            if piece:
                pieces.append(piece)
            data = self._zlib.unconsumed_tail
            if not piece and not data:
                break
        return pieces
