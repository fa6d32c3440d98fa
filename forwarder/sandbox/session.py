"""One client of `graphql-transport-ws`, as graphql-ws 5.16 serves it; knows nothing of sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql import (
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLError,
    create_source_event_stream,
    execute_subscription_event,
)

from forwarder.sandbox import schema
from forwarder.sandbox.answers import garble
from forwarder.sandbox.api import Api
from forwarder.sandbox.authorization import Caller
from forwarder.sandbox.bank import Bank
from forwarder.sandbox.faults import Fault
from forwarder.sandbox.messages import (
    Goodbye,
    Message,
    object_of,
    objections,
    read_document,
    read_message,
)
from forwarder.sandbox.queries import Subscription as SubscriptionRoot
from forwarder.sandbox.queries import UpdateRoot
from forwarder.sandbox.timing import Timing
from forwarder.sandbox.updates import Event, Subscription

PROTOCOL = "graphql-transport-ws"
ABNORMAL = 1006  # what a client sees when nobody closes; not to be sent


class Wire(Protocol):
    """What carries the messages of a session."""

    async def send(self, message: Message) -> None: ...

    async def close(self, code: int, reason: str) -> None: ...

    def reset(self) -> None:
        """Drop the connection without a word."""


@dataclass(slots=True)
class Session:
    api: Api
    wire: Wire
    timing: Timing
    initialised: bool = False
    acknowledged: bool = False
    caller: Caller | None = None
    fault: Fault | None = None
    _streams: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def bank(self) -> Bank:
        return self.api.bank

    def start(self) -> None:
        self._spawn(self._expire(), "websocket init time-out")

    async def receive(self, text: str) -> None:
        """Take one message of the client's."""
        try:
            message = read_message(text)
            await self._handle(message)
        except Goodbye as goodbye:
            await self.wire.close(goodbye.code, goodbye.reason)

    async def stop(self) -> None:
        """End all that was going on for this client."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _handle(self, message: Message) -> None:
        match message["type"]:
            case "connection_init":
                await self._initialise(object_of(message, "payload"))
            case "subscribe":
                await self._subscribe(message)
            case "complete":
                self._cancel(message.get("id"))
            case "ping":
                echo = {"payload": message["payload"]} if "payload" in message else {}
                await self.wire.send({"type": "pong"} | echo)
            case "pong":
                pass
            case _:
                raise Goodbye(4400, "Invalid message received")

    async def _initialise(self, payload: Message) -> None:
        if self.initialised:
            raise Goodbye(4429, "Too many initialisation requests")
        self.initialised = True
        self.caller = self._authenticate(payload)
        account_id = self.caller.account_id if self.caller else None
        self.fault = self.bank.faults.take("socket", "websocket", account_id)
        if self._suffers("drop_before_ack"):
            self.wire.reset()
        elif not self._suffers("no_ack"):
            if self.fault is not None and self.fault.kind == "late_ack":
                await asyncio.sleep(self.fault.wait())
            # A key that is no good is acknowledged as well; it shows at the first subscription.
            self.acknowledged = True
            await self.wire.send({"type": "connection_ack"})

    def _authenticate(self, payload: Message) -> Caller | None:
        # The names are case-sensitive here, and a session token would win; the sandbox has none.
        if "Authorization" in payload:
            return None
        key = payload.get("X-API-KEY")
        return self.api.caller(None if key is None else str(key))

    async def _subscribe(self, message: Message) -> None:
        if not self.acknowledged:
            raise Goodbye(4401, "Unauthorized")
        name = message.get("id")
        if not isinstance(name, str):
            raise Goodbye(4400, "Invalid message received")
        if name in self._streams:
            raise Goodbye(4409, f"Subscriber for {name} already exists")
        payload = object_of(message, "payload")
        variables = object_of(payload, "variables")
        document = read_document(payload)
        if problems := objections(document):
            await self.wire.send({"id": name, "type": "error", "payload": problems})
            return
        stream = self._stream(name, document.node, payload | {"variables": variables})
        self._streams[name] = self._spawn(stream, f"subscription {name}")

    async def _stream(self, name: str, document: DocumentNode, payload: Message) -> None:
        """Send the events of one subscription until its stream ends or the client has enough."""
        subscription = self._open_subscription()
        try:
            executor = build_executor(document, payload, subscription)
            source = open_source(executor)
            if isinstance(source, list):
                await self._send_next(name, {"errors": [error.formatted for error in source]})
            elif isinstance(executor, Executor):
                self._misbehave_later(subscription)
                async for event in source:
                    await self._send_next(name, self._render(executor, event))
            await self.wire.send({"id": name, "type": "complete"})
        finally:
            # The client may have used the name for another one since it had enough of this.
            if self._streams.get(name) is asyncio.current_task():
                del self._streams[name]
            if subscription is not None:
                self.bank.updates.unsubscribe(subscription)

    def _open_subscription(self) -> Subscription | None:
        account = self.caller.account if self.caller else None
        if account is None or self._suffers("not_authenticated"):
            return None
        first_price = not self._suffers("no_first_event")
        return self.bank.updates.subscribe(account.id, first_price=first_price)

    def _render(self, executor: Executor[Any], event: Event) -> object:
        root = UpdateRoot(self.bank, event)
        result = execute_subscription_event(executor.build_per_event_executor(root))
        if not isinstance(result, ExecutionResult):
            raise AssertionError("nothing in an event needs awaiting")
        return garble(result.formatted) if event.flaw == "malformed" else result.formatted

    async def _send_next(self, name: str, payload: object) -> None:
        await self.wire.send({"id": name, "type": "next", "payload": payload})

    def _misbehave_later(self, subscription: Subscription | None) -> None:
        fault = self.fault
        if fault is None or subscription is None:
            return
        if fault.kind == "complete":
            self.bank.timers.after(fault.wait(), lambda: subscription.put(None))
        elif fault.kind == "close":
            self._spawn(self._close_later(fault), "websocket close fault")

    async def _close_later(self, fault: Fault) -> None:
        await asyncio.sleep(fault.wait())
        code = int(fault.code or 1001)
        if code == ABNORMAL:
            self.wire.reset()
        else:
            await self.wire.close(code, fault.message or "")

    async def _expire(self) -> None:
        await asyncio.sleep(self.timing.init_timeout)
        if not self.initialised:
            await self.wire.close(4408, "Connection initialisation timeout")

    def _cancel(self, name: object) -> None:
        if isinstance(name, str) and (task := self._streams.pop(name, None)):
            task.cancel()

    def _suffers(self, kind: str) -> bool:
        return self.fault is not None and self.fault.kind == kind

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def build_executor(
    document: DocumentNode, payload: Message, subscription: Subscription | None
) -> Executor[Any] | Sequence[GraphQLError]:
    """What executes each event; errors if the variables are wrong."""
    return Executor.build(
        schema.load(),
        document,
        root_value=SubscriptionRoot(subscription),
        raw_variable_values=payload["variables"],
        operation_name=payload.get("operationName"),
        field_resolver=schema.resolve_field,
        type_resolver=schema.resolve_type,
        subscribe_field_resolver=schema.resolve_field,
    )


def open_source(
    executor: Executor[Any] | Sequence[GraphQLError],
) -> AsyncIterable[Event] | list[GraphQLError]:
    """The events of a subscription, or why there are none."""
    if not isinstance(executor, Executor):
        return list(executor)
    source = create_source_event_stream(executor)
    if isinstance(source, ExecutionResult):
        return source.errors or []
    if not isinstance(source, AsyncIterable):
        raise AssertionError("nothing about a subscription needs awaiting")
    return source
