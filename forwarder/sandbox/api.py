"""GraphQL over HTTP, from a request to its answer: authentication, limits, execution."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from inspect import isawaitable
from types import NoneType
from typing import Any

from graphql import FormattedExecutionResult, GraphQLError, OperationType, execute

from forwarder.sandbox import answers, complexity, documents, schema
from forwarder.sandbox.answers import Answer
from forwarder.sandbox.authorization import ANYBODY, Caller
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.documents import Document
from forwarder.sandbox.faults import SENDS, Fault
from forwarder.sandbox.idempotency import IdempotencyKeys
from forwarder.sandbox.mutations import Mutation
from forwarder.sandbox.queries import Query

SLOWNESS = 0.1  # seconds, when a fault does not say
# Seconds by default; those of `paid_before_answer` let the event arrive first.
ANSWER_DELAYS = {"late_answer": 0.1, "paid_before_answer": 0.05}


@dataclass(frozen=True, slots=True)
class Request:
    """A GraphQL POST, whoever brings it."""

    query: str
    variables: Mapping[str, Any] | None = None
    operation_name: str | None = None
    api_key: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True)
class Call:
    """A GraphQL request that was received; `operation` is its first root field."""

    operation: str
    at: datetime
    account_id: str | None
    variables: Mapping[str, Any]
    outcome: str = "running"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request on its way through, with all that was found out about it."""

    request: Request
    document: Document
    caller: Caller | None  # None when the key is no good
    fault: Fault | None
    call: Call


@dataclass(slots=True)
class Api:
    bank: Bank
    calls: list[Call] = field(default_factory=list)
    latencies: dict[str, float] = field(default_factory=dict)
    idempotency: IdempotencyKeys = field(default_factory=IdempotencyKeys)
    mysteries: set[str] = field(default_factory=set)
    """Entries that are shown with a status that no client knows yet."""

    async def answer(self, request: Request) -> Answer:
        """Answer a request; the answer also says how it is to be delivered."""
        try:
            document = documents.read(request.query, request.operation_name)
        except GraphQLError as error:
            return answers.of_errors(error.message)
        exchange = self._open(request, document)
        answer = await self._answer(exchange)
        if exchange.fault:
            exchange.call.outcome = f"faulted:{exchange.fault.kind}"
        return answer

    def caller(self, api_key: str | None) -> Caller | None:
        """Who has this key; None when it is no good."""
        if api_key is None:
            return ANYBODY
        key = self.bank.accounts.key(api_key)
        return Caller(key) if key else None

    def latency(self, operation: str) -> float:
        return self.latencies.get(operation, self.latencies.get("*", 0.0))

    def _open(self, request: Request, document: Document) -> Exchange:
        caller = self.caller(request.api_key)
        account_id = caller.account_id if caller else None
        variables = request.variables or {}
        call = Call(document.roots[0], self.bank.clock(), account_id, variables)
        self.calls.append(call)
        take = self.bank.faults.take
        faults = (take("http", root, account_id) for root in document.roots)
        fault = next((fault for fault in faults if fault is not None), None)
        return Exchange(request, document, caller, fault, call)

    async def _answer(self, exchange: Exchange) -> Answer:
        fault, call = exchange.fault, exchange.call
        if fault and (canned := answers.instead(fault)):
            return canned
        if exchange.caller is None:
            call.outcome = "unauthorized"
            return answers.gateway(401)
        if rejection := self._rejection(exchange):
            call.outcome = "rejected"
            return rejection
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.wait(SLOWNESS))
        answer = await self._execute(exchange, exchange.caller)
        call.outcome = "answered"
        await asyncio.sleep(self._delay(exchange))
        return answers.spoil(answer, fault) if fault else answer

    def _rejection(self, exchange: Exchange) -> Answer | None:
        """What keeps a request from being executed at all."""
        request, document = exchange.request, exchange.document
        if objection := self.idempotency.use(request.idempotency_key, self.bank.clock()):
            return answers.of_errors(f"HTTP fetch failed from 'public': {objection}")
        if document.problems:
            return answers.of_errors(*(problem.message for problem in document.problems))
        if document.cost >= complexity.LIMIT:
            return answers.of_errors(
                "HTTP fetch failed from 'public': 500: Internal Server Error",
                f"Query too complex. Value of {document.cost} is over the maximum "
                f"{complexity.LIMIT}.",
            )
        return None

    async def _execute(self, exchange: Exchange, caller: Caller) -> Answer:
        request, document = exchange.request, exchange.document
        result = execute(
            schema.load(),
            document.node,
            root_value=self._root(exchange, caller),
            variable_values=dict(request.variables or {}),
            operation_name=request.operation_name,
            field_resolver=schema.resolve_field,
            type_resolver=schema.resolve_type,
        )
        finished = await result if isawaitable(result) else result
        shown = without_extensions(finished.formatted)
        return answers.of_json(answers.mystify(shown, self.mysteries) if self.mysteries else shown)

    def _root(self, exchange: Exchange, caller: Caller) -> Mutation | Query:
        if exchange.document.kind is not OperationType.MUTATION:
            return Query(self.bank, caller)
        operation = exchange.call.operation
        dwell = self.latency(operation) if operation in SENDS else 0.0
        return Mutation(self.bank, caller, exchange.fault, dwell)

    def _delay(self, exchange: Exchange) -> float:
        """How long an answer is kept back once everything has happened."""
        operation, fault = exchange.call.operation, exchange.fault
        # A send has taken its time already, with its wallet locked.
        latency = 0.0 if operation in SENDS else self.latency(operation)
        if fault and fault.kind in ANSWER_DELAYS:
            return latency + fault.wait(ANSWER_DELAYS[fault.kind])
        return latency


def without_extensions(result: FormattedExecutionResult) -> dict[str, Any]:
    """As the router passes a result on: of an error, neither code nor other extensions."""
    plain: dict[str, Any] = {"data": result["data"]}
    if "errors" in result:
        plain["errors"] = [
            {name: part for name, part in error.items() if name != "extensions"}
            for error in result["errors"]
        ]
    return plain


def read_request(body: bytes, api_key: str | None, idempotency_key: str | None) -> Request | None:
    """The request in a POST's body; None when it is none."""
    try:
        value = json.loads(body)
        query, variables = value["query"], value.get("variables")
        name = value.get("operationName")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    if not isinstance(query, str) or not isinstance(variables, dict | NoneType):
        return None
    if not isinstance(name, str | NoneType):
        return None
    return Request(query, variables, name, api_key, idempotency_key)
