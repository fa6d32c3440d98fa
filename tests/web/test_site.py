"""The service's website: what browsers get, and what they are told never to do with it."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest
from aiohttp import ClientSession

from forwarder.web import site
from forwarder.web.routes import ROUTES
from tests.web.fakes import FakeService

PAGES = {"/": "pos.html", "/operator": "operator.html"}
PARTS = sorted(name for name in site.FILES if not name.endswith(".html"))
SCRIPTS = [name for name in PARTS if name.endswith(".js")]
KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@pytest.mark.parametrize(("path", "name"), PAGES.items())
async def test_a_page_is_served_with_a_policy_that_lets_in_nothing_foreign(
    client: ClientSession, path: str, name: str
) -> None:
    answer = await client.get(path)
    assert (answer.status, answer.content_type) == (200, "text/html")
    assert await answer.read() == (site.FOLDER / name).read_bytes()
    policy = dict(part.split(" ", 1) for part in answer.headers[POLICY].split("; "))
    assert policy.pop("img-src") == "'self' data:"
    assert {value for directive, value in policy.items() if directive.endswith("-src")} == {
        "'none'",
        "'self'",
    }
    assert {policy[name] for name in ("form-action", "frame-ancestors", "base-uri")} == {"'none'"}


POLICY = "Content-Security-Policy"


@pytest.mark.parametrize("name", PARTS)
async def test_each_part_is_served_as_what_it_is(client: ClientSession, name: str) -> None:
    answer = await client.get(f"/{name}")
    assert (answer.status, answer.content_type) == (200, KINDS[name.rpartition(".")[2]])
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("name", PAGES.values())
def test_a_page_has_no_script_or_style_of_its_own(name: str) -> None:
    page = site.FILES[name].content.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=|javascript:", page)


@pytest.mark.parametrize("name", site.FILES)
def test_nothing_is_asked_of_another_host(name: str) -> None:
    text = site.FILES[name].content.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"(https?:)?//[\w.-]+\.\w", re.sub(r"^\s*(//|\*|/\*).*", "", text))


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_a_script_imports_is_there(name: str) -> None:
    imported = re.findall(r"from '(\.[^']+)'", site.FILES[name].content.decode())
    folder = PurePosixPath(name).parent
    found = {(site.FOLDER / folder / path).resolve() for path in imported}
    assert {path.relative_to(site.FOLDER).as_posix() for path in found} <= set(PARTS)


@pytest.mark.parametrize("name", PAGES.values())
def test_what_a_page_loads_is_there(name: str) -> None:
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', site.FILES[name].content.decode())
    assert loaded
    assert set(loaded) <= set(PARTS)


async def test_a_browser_keeps_a_file_and_asks_whether_it_is_still_good(
    client: ClientSession,
) -> None:
    first = await client.get("/payment-socket.js")
    assert first.headers["Cache-Control"] == "no-cache"
    tag = first.headers["ETag"]
    again = await client.get("/payment-socket.js", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tag)
    changed = await client.get("/payment-socket.js", headers={"If-None-Match": '"other"'})
    assert changed.status == 200


@pytest.mark.parametrize(
    "path",
    ["/pos/nothing.js", "/pos/..%2fpayment-socket.js", "/pos/..%2f..%2fsite.py", "/pos.html"],
)
async def test_nothing_else_can_be_read(client: ClientSession, path: str) -> None:
    answer = await client.get(path)
    assert answer.status == 404
    assert (await answer.json())["error"]["code"] == "not_found"


async def test_a_listed_website_may_read_the_scripts_for_others(
    client: ClientSession, service: FakeService
) -> None:
    service.settings.allowed_origins = ("https://pos.example",)
    for name in ("payment-socket.js", "use-payment-websocket.js"):
        answer = await client.get(f"/{name}", headers={"Origin": "https://pos.example"})
        assert answer.headers["Access-Control-Allow-Origin"] == "https://pos.example"


def test_every_part_has_a_route() -> None:
    routes = {route.path for route in ROUTES}
    folders = {name if "/" not in name else f"{name.split('/')[0]}/{{name}}" for name in PARTS}
    assert {f"/{folder}" for folder in folders} <= routes
