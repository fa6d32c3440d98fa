"""Messages of `graphql-transport-ws` as they come in, and what is wrong with them."""

from __future__ import annotations

import json
from typing import Any

from graphql import GraphQLError, OperationType

from forwarder.sandbox import documents
from forwarder.sandbox.documents import Document

Message = dict[str, Any]


class Goodbye(Exception):
    """The session is over: close with this code."""

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(reason)


def read_message(text: str) -> Message:
    try:
        message = json.loads(text)
    except ValueError:
        message = None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Goodbye(4400, "Invalid message received")
    return message


def object_of(message: Message, name: str) -> Message:
    """The object of this name; an empty one if there is none."""
    value = message.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Goodbye(4400, "Invalid message received")
    return value


def read_document(payload: Message) -> Document:
    name = payload.get("operationName")
    try:
        return documents.read(str(payload.get("query")), name if isinstance(name, str) else None)
    except GraphQLError as error:
        raise Goodbye(4500, error.message) from error


def objections(document: Document) -> list[Any]:
    """Errors that end a subscription before it starts, and leave the socket open."""
    if document.problems:
        return [problem.formatted for problem in document.problems]
    if document.kind is not OperationType.SUBSCRIPTION:
        return [{"message": "Only subscription operations are supported"}]
    return []
