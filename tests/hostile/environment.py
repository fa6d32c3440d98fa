"""Environments, and what is said of them."""

from __future__ import annotations

import os
from random import Random
from typing import Final

from forwarder.settings import Settings, SettingsError

NAMES: Final = sorted(name.upper() for name in Settings.model_fields)
CANARY: Final = "canary-in-the-environment"

VALUES: Final = (
    *("", " ", "0", "-1", "1", "007", "1.5", "1e3", "99999999999999999999", "NaN", "true", "maybe"),
    *(
        "None",
        "null",
        "[]",
        "{}",
        '["a"]',
        "'",
        '"',
        "\\",
        "%",
        "%s",
        "${HOME}",
        "$(id)",
        "\n",
        "\t",
    ),
    *(
        "a b",
        "a,b",
        ",",
        ", ,",
        "\x01",
        "\x7f",
        "\u00e9",
        "\u202e",
        "\U0001f4a9",
        "\udcff",
        "a\udc80",
    ),
    *("http://", "https://", "ws://", "wss://", "http://[", "http://a:b:c/", "http://\udcff/"),
    *("ftp://blink", "file:///etc/passwd", "http://user:pass@blink/", "//blink", "http:///x"),
    *("sqlite:///x.db", "sqlite+aiosqlite://", "sqlite+aiosqlite:///:memory:", "postgresql://x/y"),
    *("mysql://x", "postgresql+asyncpg://", "sqlite+aiosqlite:////nowhere/at/all/x.db", "://"),
    *("postgresql+asyncpg://u:p@h:notaport/d", "sqlite+aiosqlite:///x\x01.db"),
    *("0" * 36, "g" * 36, "0" * 35, "x" * 513, "x" * 100_000, "127.0.0.1", "::1", "999.1.1.1"),
    *("localhost:80", "text", "JSON", "debug", "DEBUG", "off", "65536", "0x50"),
    *(f"{CANARY}\n", f" {CANARY}", f"{CANARY} {CANARY}", f"{CANARY}\udcff", f"{CANARY}\r\nX: y"),
)


def read_settings(environment: dict[str, str]) -> str | None:
    """What is said of an environment; None if it can be used."""
    before = {name: os.environ.pop(name) for name in NAMES if name in os.environ}
    os.environ.update(environment)
    try:
        Settings.read()
    except SettingsError as exc:
        return str(exc)
    finally:
        for name in environment:
            del os.environ[name]
        os.environ.update(before)
    return None


def is_clear(said: str, names: set[str], values: set[str]) -> bool:
    """Whether it names a variable that was set, and shows nothing that could be a secret."""
    shown = any(len(value.strip()) > 8 and value.strip() in said for value in values)
    return any(name in said for name in names) and not shown


async def read_environment(random: Random) -> None:
    """One to four settings, each of them strange, are taken or named."""
    environment = {name: _value(random) for name in random.sample(NAMES, random.randint(1, 4))}
    said = read_settings(environment)
    assert said is None or is_clear(said, set(environment), set(environment.values()))


def _value(random: Random) -> str:
    value = random.choice(VALUES)
    match random.randrange(4):
        case 0:
            return value + random.choice(VALUES)
        case 1 if value:
            at = random.randrange(len(value))
            return value[:at] + random.choice(_LETTERS) + value[at + 1 :]
        case _:
            return value


_LETTERS: Final = (*map(chr, range(1, 256)), "\u202e", "\U0001f4a9", "\udcff", "\ufeff", "\u0661")
