"""Signatures of webhooks: over the raw bytes, with the right key, and lately."""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from forwarder.model.signature import SVIX_SECRET, Envelope, is_phoenixds, is_svixs

NODE_SECRET = SecretStr("ef72a3e6a5cf8e1f4b8a1d2c3e4f5a6b7c8d9e0f1a2b3c4d5e6f708192a3b4c5")
NODE_BODY = b"""{
    "type": "payment_received",
    "timestamp": 1712785550079,
    "amountSat": 8,
    "paymentHash": "e628f8a516d9c4ba55eb0c4ce1b2a2a0eb9b5c1dba7bd1fc8fb8e1b5b9e4b0d1",
    "externalId": "pos-42",
    "payerNote": null,
    "payerKey": null
}"""
NODE_SIGNATURE = "020d2e06405d29468705129f00f2cd6b2ee2ae4828822da9296480fd2501084f"

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
SECRETS = [SecretStr(f"whsec_{base64.b64encode(key).decode()}") for key in (b"newest!!", b"older")]
BODY = '{"eventType": "receive.lightning", "memo": "⚡"}'.encode()


def svix(body: bytes, key: bytes, name: str, timestamp: str) -> str:
    digest = hmac.digest(key, f"{name}.{timestamp}.".encode() + body, "sha256")
    return "v1," + base64.b64encode(digest).decode()


def envelope(*keys: bytes, at: datetime = NOW, body: bytes = BODY) -> Envelope:
    stamp = str(int(at.timestamp()))
    signatures = " ".join(svix(body, key, "msg_1", stamp) for key in keys)
    return Envelope("msg_1", stamp, signatures)


def test_the_vector_of_a_node_verifies() -> None:
    assert len(NODE_BODY) == 246
    assert is_phoenixds(NODE_BODY, NODE_SIGNATURE, NODE_SECRET)


def test_the_key_of_a_node_is_the_text_of_its_secret_not_what_the_text_encodes() -> None:
    key = bytes.fromhex(NODE_SECRET.get_secret_value())
    decoded = hmac.digest(key, NODE_BODY, "sha256").hex()
    assert not is_phoenixds(NODE_BODY, decoded, NODE_SECRET)


@pytest.mark.parametrize(
    "signature",
    [
        "",
        NODE_SIGNATURE.upper(),
        NODE_SIGNATURE[:-1],
        NODE_SIGNATURE + "0",
        f"{NODE_SIGNATURE},{NODE_SIGNATURE}",
        f"sha256={NODE_SIGNATURE}",
        "é" * 32,
        "\udcff" * 64,
    ],
)
def test_any_other_signature_of_a_node_is_refused(signature: str) -> None:
    assert not is_phoenixds(NODE_BODY, signature, NODE_SECRET)


def test_the_same_json_written_anew_is_not_what_a_node_has_signed() -> None:
    assert not is_phoenixds(NODE_BODY.replace(b"\n    ", b""), NODE_SIGNATURE, NODE_SECRET)
    assert not is_phoenixds(NODE_BODY + b"\n", NODE_SIGNATURE, NODE_SECRET)


@pytest.mark.parametrize(
    "keys", [(b"newest!!",), (b"older",), (b"forged", b"older"), (b"newest!!", b"older")]
)
def test_one_good_signature_by_one_of_the_secrets_is_enough(keys: tuple[bytes, ...]) -> None:
    assert is_svixs(BODY, envelope(*keys), SECRETS, NOW)


def test_what_no_secret_has_signed_is_refused() -> None:
    assert not is_svixs(BODY, envelope(b"forged"), SECRETS, NOW)
    assert not is_svixs(BODY, envelope(b"older"), SECRETS[:1], NOW)
    assert not is_svixs(BODY, envelope(), SECRETS, NOW)
    assert not is_svixs(BODY + b" ", envelope(b"older"), SECRETS, NOW)


@pytest.mark.parametrize(("seconds", "good"), [(299, True), (301, False), (86_400, False)])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_was_signed_long_ago_or_will_be_is_refused(
    seconds: int, good: bool, sign: int
) -> None:
    at = NOW + sign * timedelta(seconds=seconds)
    assert is_svixs(BODY, envelope(b"older", at=at), SECRETS, NOW) is good


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1.5", "9" * 12, "١٢٣", "1e9"])
def test_a_timestamp_that_is_none_is_refused(timestamp: str) -> None:
    signatures = svix(BODY, b"older", "msg_1", timestamp)
    assert not is_svixs(BODY, Envelope("msg_1", timestamp, signatures), SECRETS, NOW)


@pytest.mark.parametrize("change", ["v2,", "V1,", "v1 ", ""])
def test_a_signature_of_another_version_is_none(change: str) -> None:
    good = envelope(b"older")
    other = Envelope(good.id, good.timestamp, good.signatures.replace("v1,", change))
    assert not is_svixs(BODY, other, SECRETS, NOW)


def test_a_signature_belongs_to_its_id_and_its_time() -> None:
    good = envelope(b"older")
    assert not is_svixs(BODY, Envelope("msg_2", good.timestamp, good.signatures), SECRETS, NOW)
    later = str(int(good.timestamp) + 1)
    assert not is_svixs(BODY, Envelope(good.id, later, good.signatures), SECRETS, NOW)


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("whsec_bmV3ZXN0ISE=", True),
        ("whsec_b2xkZXI=", True),
        ("whsec_AAAA", True),
        ("bmV3ZXN0ISE=", False),
        ("whsec_", False),
        ("whsec_not base64", False),
    ],
)
def test_a_secret_of_svixs_is_known_by_its_form(text: str, good: bool) -> None:
    assert (SVIX_SECRET.fullmatch(text) is not None) is good
