"""Answers over HTTP, and what faults make of them. Pure: nothing here is sent."""

from __future__ import annotations

import json
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from forwarder.sandbox.faults import Fault

Delivery = Literal["whole", "half", "reset", "never"]

# The status, and what nginx writes about it.
GATEWAY = {
    401: "401 Authorization Required",
    429: "429 Too Many Requests",
    500: "500 Internal Server Error",
    502: "502 Bad Gateway",
    503: "503 Service Temporarily Unavailable",
}
CANNED_STATUS = {"http_500": 500, "http_502_html": 502, "http_503": 503, "http_429": 429}
SPARED = "__typename"  # garbage keeps it, so that it is not taken for some other type


@dataclass(frozen=True, slots=True)
class Answer:
    body: bytes = b""
    status: int = 200
    content_type: str = "application/json"
    delivery: Delivery = "whole"


def of_json(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value).encode(), status)


def of_errors(*messages: str) -> Answer:
    """Errors of a whole request; Blink's router lets no code through."""
    return of_json({"errors": [{"message": message} for message in messages]})


def gateway(status: int) -> Answer:
    """A page of nginx."""
    return page(GATEWAY[status], status)


def page(title: str, status: int) -> Answer:
    html = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
        f"<center><h1>{title}</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(html.encode(), status, "text/html")


def instead(fault: Fault) -> Answer | None:
    """What a fault answers without anything being executed; None if it lets that happen."""
    if status := CANNED_STATUS.get(fault.kind):
        return gateway(status)
    match fault.kind:
        case "refuse":
            return Answer(delivery="reset")
        case "timeout_before":
            return Answer(delivery="never")
        case "graphql_error":
            return of_errors(fault.message or "Internal server error")
        case _:
            return None


def mystify(value: Any, ids: Container[str]) -> Any:  # noqa: ANN401 - JSON
    """Give the transactions of these ids a status that no schema knows yet."""
    match value:
        case {"id": str() as id_, "status": _} if id_ in ids:
            return {**value, "status": "MYSTERY"}
        case dict():
            return {name: mystify(part, ids) for name, part in value.items()}
        case list():
            return [mystify(part, ids) for part in value]
        case _:
            return value


def spoil(answer: Answer, fault: Fault) -> Answer:
    """What a fault makes of the answer to something that was executed."""
    match fault.kind:
        case "lost_answer":
            return replace(answer, delivery="reset")
        case "half_answer":
            return replace(answer, delivery="half")
        case "html_200":
            return page("Just a moment...", 200)
        case "executed_then_500":
            return gateway(500)
        case "executed_then_graphql_error":
            return of_errors(fault.message or "Internal server error")
        case "null_data":
            return of_json({"data": None})
        case "garbage":
            return of_json(garble(json.loads(answer.body)))
        case _:
            return answer


def garble(value: object) -> object:
    """The same shape with everything of another type, and text that no enum knows."""
    match value:
        case Mapping():
            return {name: item if name == SPARED else garble(item) for name, item in value.items()}
        case list():
            return [garble(item) for item in value]
        case bool():
            return "perhaps"
        case int() | float():
            return "many"
        case str() if value.isupper():
            return "MYSTERY"
        case str():
            return len(value)
        case _:
            return 0
