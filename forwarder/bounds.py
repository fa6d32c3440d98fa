"""How much of an answer is read: nothing that Blink or a node says is large."""

from __future__ import annotations

from typing import Final

from aiohttp import ClientPayloadError, ClientResponse

MAX_BYTES: Final = 8 * 1024 * 1024  # a page of 100 entries has about 50 KiB


class BoundedResponse(ClientResponse):
    """An answer that is given up when it grows beyond all measure, also once it is unpacked."""

    async def read(self) -> bytes:
        """The body. Raises `ClientPayloadError`."""
        if self._body is None:
            self._body = await self._read_bounded()
        return self._body

    async def _read_bounded(self) -> bytes:
        body = bytearray()
        try:
            async for chunk in self.content.iter_any():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ClientPayloadError(f"the answer has more than {MAX_BYTES} bytes")
        except BaseException:
            self.close()
            raise
        return bytes(body)
