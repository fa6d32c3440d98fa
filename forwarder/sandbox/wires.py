"""Connections that end badly."""

from __future__ import annotations

import asyncio
import socket
import struct

from aiohttp import web

LINGER_NOT_AT_ALL = struct.pack("ii", 1, 0)


def reset(request: web.BaseRequest) -> None:
    """Drop the connection of a request with a TCP reset: the peer finds no orderly end."""
    transport = request.transport
    if transport is None:
        return
    peer: socket.socket | None = transport.get_extra_info("socket")
    if peer is not None:
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT_AT_ALL)
    if isinstance(transport, asyncio.Transport):
        transport.abort()


def stop_reading(request: web.BaseRequest) -> None:
    """Leave what the peer sends in the kernel, its goodbye included."""
    if isinstance(request.transport, asyncio.Transport):
        request.transport.pause_reading()


def hang_up(request: web.BaseRequest) -> None:
    """End the connection of a request in order, but earlier than promised."""
    if request.transport is not None:
        request.transport.close()
