"""Where a call comes from, also when a proxy passes it on.

What a proxy says is believed only if the connection comes from one of `TRUSTED_PROXIES`: anybody
can write such headers. They grow at the right, one entry for each proxy, so the right-most address
that is not a trusted proxy's is the one that a trusted proxy has seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aiohttp import web

from forwarder.web.keys import SERVICE

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_UNKNOWN: Final = "unknown"
_IPV6_NEIGHBOURS: Final = 64  # what one customer of a network is given, at the least


def address(request: web.Request) -> str:
    """The address of the client."""
    forwarded = _values(request, "X-Forwarded-For")
    return farthest(request.remote, forwarded, request.app[SERVICE].settings.trusted_proxies)


def caller(request: web.Request) -> str:
    """The client as far as it is counted: one customer has very many addresses of IPv6."""
    found = _parse(address(request))
    if isinstance(found, IPv6Address):
        return str(ip_network((found, _IPV6_NEIGHBOURS), strict=False))
    return _UNKNOWN if found is None else str(found)


def host(request: web.Request) -> str:
    """The host that the client has asked for."""
    said = _values(request, "X-Forwarded-Host") if _is_passed_on(request) else []
    return said[-1] if said else request.headers.get("Host", "")


def is_secure(request: web.Request) -> bool:
    """Whether the client speaks TLS, with us or with the proxy."""
    said = _values(request, "X-Forwarded-Proto") if _is_passed_on(request) else []
    return said[-1].lower() == "https" if said else request.secure


def farthest(remote: str | None, forwarded: Sequence[str], trusted: Sequence[Network]) -> str:
    """The address that is farthest away of those that can be believed."""
    known = remote or _UNKNOWN
    for said in reversed(forwarded):
        if not is_trusted(known, trusted):
            break
        found = _parse(said)
        if found is None:
            break
        known = str(found)
    return known


def _is_passed_on(request: web.Request) -> bool:
    trusted = request.app[SERVICE].settings.trusted_proxies
    return is_trusted(request.remote or "", trusted)


def is_trusted(text: str, trusted: Sequence[Network]) -> bool:
    """Whether this is the address of a trusted proxy."""
    found = _parse(text)
    return found is not None and any(found in network for network in trusted)


def _values(request: web.Request, name: str) -> list[str]:
    """What stands in a header that may be there several times, from left to right."""
    joined = ",".join(request.headers.getall(name, []))
    return [value.strip() for value in joined.split(",") if value.strip()]


def _parse(text: str) -> Address | None:
    """An address as proxies write it: some put a port after it."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
