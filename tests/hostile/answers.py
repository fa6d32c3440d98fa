"""Answers that no Blink should give, written down: each with the name of what is wrong with it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from typing import Final

from tests.hostile.impostor import Said, said
from tests.hostile.mangle import DEEP

JSON: Final = {"Content-Type": "application/json"}
MEGA: Final = 1 << 20

# Whatever was asked, these are no answers to it.
TO_ANYTHING: Final[Mapping[str, Said]] = {
    "nothing": Said(),
    "null": Said(b"null"),
    "a number": Said(b"7"),
    "a list": Said(b"[]"),
    "a text": Said(b'"data errors"'),
    "an empty object": Said(b"{}"),
    "null data": said({"data": None}),
    "data of another type": said({"data": [1, 2, 3]}),
    "data that is a text": said({"data": "lnInvoiceCreate me"}),
    "errors without a message": said({"errors": [{}]}),
    "errors that are null": said({"errors": None, "data": None}),
    "errors that are no list": said({"errors": "no"}),
    "errors that are an object": said({"errors": {"message": "no"}}),
    "errors of numbers": said({"errors": [1, None, [], {"message": {"a": 1}}]}),
    "no errors at all": said({"errors": []}),
    "a huge error": said({"errors": [{"message": "x" * 5 * MEGA}]}),
    "deep JSON": Said(b'{"data":' + b"[" * DEEP + b"]" * DEEP + b"}"),
    "very deep JSON": Said(b'{"data":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
    "deep errors": Said(b'{"errors":' + b'[{"message":' * DEEP + b"1" + b"}]" * DEEP + b"}"),
    "half JSON": Said(b'{"data": {"me": {"defaultAccount": '),
    "two documents": Said(b'{"data": {}}{"data": {}}'),
    "a byte order mark": Said(b'\xef\xbb\xbf{"data": {}}'),
    "not UTF-8": Said(b'{"data": "\xff\xfe\x80"}'),
    "UTF-16": Said('{"data": {}}'.encode("utf-16")),
    "a charset that does not exist": Said(
        b'{"data": {}}', headers={"Content-Type": "application/json; charset=klingon"}
    ),
    "lone surrogates": Said(b'{"errors": [{"message": "\\ud800\\udfff\\ud800"}]}'),
    "control characters": said({"errors": [{"message": "\x1b[2J\x07\x00\r\n{level}"}]}),
    "NaN": Said(b'{"data": {"me": NaN}}'),
    "an enormous number": Said(b'{"data": {"me": ' + b"9" * 100_000 + b"}}"),
    "an enormous exponent": Said(b'{"data": {"me": 1e999999}}'),
    "HTML": Said(b"<html><h1>502 Bad Gateway</h1></html>", headers={"Content-Type": "text/html"}),
    "five megabytes": Said(b'{"data": "' + b"x" * 5 * MEGA + b'"}', headers=JSON),
    "five megabytes of HTML": Said(b"<p>" * (5 * MEGA // 3), headers={"Content-Type": "text/html"}),
    "a body that is not gzip": Said(b'{"data": {}}', headers={"Content-Encoding": "gzip"}),
    "an unknown encoding": Said(b'{"data": {}}', headers={"Content-Encoding": "rot13"}),
    "no content": Said(status=204),
    "not modified": Said(status=304),
    "a teapot": Said(b"short and stout", status=418),
    "a conflict": said({"errors": [{"message": "idempotency"}]}, status=409),
    "a payment required": Said(status=402),
    "an error with data": said({"data": {"me": None}, "errors": [{"message": "x"}]}, status=200),
    "an unavailable service": Said(b"\xff" * 1000, status=503),
    "a status beyond all": Said(b"{}", status=999),
    "many headers": said({"data": {}}, headers={f"X-{n}": "v" * 50 for n in range(90)}),
    "a redirect to nowhere": Said(status=302, headers={"Location": ""}),
    "a redirect to itself": Said(status=307, headers={"Location": "/graphql"}),
    "a redirect to a file": Said(status=302, headers={"Location": "file:///etc/passwd"}),
    "a redirect to nobody": Said(status=302, headers={"Location": "http://127.0.0.1:1/"}),
}


def bomb(megabytes: int) -> Said:
    """A small body that unpacks to a large one."""
    body = gzip.compress(b'{"data": "' + b"x" * megabytes * MEGA + b'"}')
    return Said(body, headers={**JSON, "Content-Encoding": "gzip"})


def with_parts(honest: bytes, *path: str, **parts: object) -> Said:
    """An honest answer with some parts replaced."""
    answer = json.loads(honest)
    inside = answer["data"]
    for name in path:
        inside = inside[name]
    inside.update(parts)
    return said(answer)
