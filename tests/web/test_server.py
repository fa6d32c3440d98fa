"""Starting and stopping."""

from __future__ import annotations

import asyncio
import resource
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import cast

import pytest
from aiohttp import ClientConnectionError, ClientSession, ClientTimeout, WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from forwarder.settings import Settings
from forwarder.web.app import make_app
from forwarder.web.keys import SOCKETS
from forwarder.web.server import MAX_FILES, Server, allow_many_connections, tls_context
from forwarder.worker.service import Service
from tests.web.fakes import AS_ALICE, FakeService


async def test_stopping_closes_websockets_at_once(service: FakeService) -> None:
    async with ClientSession() as client:
        async with Server.serve(cast(Service, service), "127.0.0.1", 0) as server:
            pages = [await client.ws_connect(f"{server.url}/ws") for _ in range(3)]
            for page in pages:
                await page.receive_json()
            said = [asyncio.create_task(page.receive()) for page in pages]
            begun = time.monotonic()
        assert time.monotonic() - begun < 0.5
        assert [(frame.type, frame.data) for frame in await asyncio.gather(*said)] == [
            (WSMsgType.CLOSE, 1001)
        ] * 3


async def test_stopping_does_not_wait_for_a_client_that_says_no_goodbye(
    service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("forwarder.web.sockets.CLOSE_SECONDS", 0.1)
    async with ClientSession() as client:
        async with Server.serve(cast(Service, service), "127.0.0.1", 0) as server:
            page = await client.ws_connect(f"{server.url}/ws", autoclose=False)
            await page.receive_json()
            begun = time.monotonic()
        assert time.monotonic() - begun < 1
        await page.close()


async def test_no_page_gets_in_while_stopping(service: FakeService) -> None:
    app = make_app(cast(Service, service))
    async with TestClient(TestServer(app)) as client:
        app[SOCKETS].is_closing = True
        assert (await client.get("/ws")).status == 503


async def test_stopping_lets_a_call_that_is_under_way_end(service: FakeService) -> None:
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow_status() -> dict[str, object]:
        begun.set()
        await may_end.wait()
        return {}

    service.lacks = slow_status  # type: ignore[assignment,method-assign]
    async with ClientSession() as client:
        async with Server.serve(cast(Service, service), "127.0.0.1", 0) as server:
            call = asyncio.create_task(client.get(f"{server.url}/readyz"))
            await begun.wait()
            asyncio.get_running_loop().call_later(0.1, may_end.set)
        assert (await call).status == 503
        with pytest.raises(ClientConnectionError):
            await client.get(f"{server.url}/livez", timeout=ClientTimeout(1))


async def test_an_address_that_is_taken_is_an_error(server: Server, service: FakeService) -> None:
    port = int(server.url.rsplit(":", 1)[1])
    with pytest.raises(OSError, match="address already in use"):
        async with Server.serve(cast(Service, service), "127.0.0.1", port):
            pass


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(Encoding.PEM))
    key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return cert_file, key_file


async def test_it_speaks_tls(service: FakeService, tmp_path: Path) -> None:
    cert_file, key_file = _certificate(tmp_path)
    tls = tls_context(Settings(tls_cert_file=cert_file, tls_key_file=key_file))
    trusting = ssl.create_default_context(cafile=str(cert_file))
    async with (
        Server.serve(cast(Service, service), "127.0.0.1", 0, tls) as server,
        ClientSession() as client,
    ):
        assert server.url.startswith("https://127.0.0.1:")
        answer = await client.get(f"{server.url}/api/invoice", headers=AS_ALICE, ssl=trusting)
        assert answer.status == 200


def test_a_process_takes_as_many_connections_as_it_may() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 512), hard))
        allow_many_connections()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, MAX_FILES)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
