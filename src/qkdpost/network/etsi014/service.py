"""ETSI GS QKD 014 v1.1.1 as pure logic: requests in, responses out, and a key manager behind."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence

from qkdpost.checks import instance, whole_number
from qkdpost.errors import (
    InputError,
    KeyNotFound,
    NoRoute,
    NotAuthorised,
    NotEnoughKey,
    PeerUnavailable,
    QkdpostError,
    StoreUnavailable,
    UnsupportedRequest,
)
from qkdpost.network.etsi014.answers import Status, error_answer, key_answer, status_answer
from qkdpost.network.etsi014.bodies import KeyRequest, read_key_ids, read_key_request
from qkdpost.network.etsi014.exchange import MISSING_KEYS, RefusedRequest, Request, Response
from qkdpost.network.etsi014.extensions import UNMET, mandatory_requirements, with_optional
from qkdpost.network.etsi014.limits import DeliveryLimits
from qkdpost.network.etsi014.strict_json import check_form, shortened
from qkdpost.network.etsi014.targets import METHODS, Operation, Target, read_target
from qkdpost.network.events import DeliveredKey, Event, KeysReleased, RequestRefused, Ticket
from qkdpost.network.policy import KeyRequirements
from qkdpost.network.service import KeyService, Stock

__all__ = ["Etsi014"]

_UNAVAILABLE: dict[type[QkdpostError], str] = {
    NotEnoughKey: "not enough key at present",
    NoRoute: "no route to the other application at present",
    PeerUnavailable: "the other KME is not available at present",
    StoreUnavailable: "the KME cannot record at present",
}
"""What is told with 503: no more than that it may be tried again."""
_NOT_AUTHORISED = "not authorised"


class Etsi014:
    """The delivery interface of one key manager, without HTTP, TLS or a clock.

    A driver hands in requests, makes the turn of the key manager durable, hands in its events, and writes the
    responses::

        request = Request(method="GET", target="/api/v1/keys/SAE-B/enc_keys")
        service.receive_request(1, request, "SAE-A", now_seconds=now)
        manager.commit()
        service.receive_events(manager.events())
        for number, response in service.responses():
            ...

    A refusal of the request itself and an answer to `status` wait for no commit: nothing durable stands behind them.
    All else leaves after the commit of the turn in which the key manager was asked.

    Checks come in this order: path and method, form of the body, caller (401), types, ranges, count, names, pair (401),
    extensions, stock (503). So a caller learns nothing of others before it is known, and nothing is spent by a refusal.

    Args:
        manager: whose keys are delivered: a `KeyManager`, or anything with the same calls.
        limits: what `status` tells and requests are held to.

    Raises:
        InputError: no limits.

    >>> from qkdpost import network
    >>> from qkdpost.network.etsi014 import Request
    >>> topology = network.Topology(
    ...     sites=[
    ...         network.Site(name="north", applications=("SAE-A",)),
    ...         network.Site(name="south", applications=("SAE-B",)),
    ...     ],
    ...     links=[network.Link(between=("north", "south"), kind="bb84", length_km=20.0)],
    ... )
    >>> north = network.KeyManager(name="north", store=network.MemoryStore(), topology=topology)
    >>> north.advance(0.0)
    ()
    >>> service = network.Etsi014(north)
    >>> service.receive_request(1, Request(method="GET", target="/api/v1/keys/SAE-B/status"), "SAE-A", now_seconds=0.0)
    >>> [(number, answer.status) for number, answer in service.responses()]
    [(1, 200)]
    """

    def __init__(self, manager: KeyService, limits: DeliveryLimits = DeliveryLimits()) -> None:  # noqa: B008 frozen
        self._manager = manager
        self._limits = instance("limits", limits, DeliveryLimits)
        self._ready: list[tuple[int, Response]] = []
        self._uncommitted: list[tuple[int, int, Response]] = []
        self._tickets: dict[Ticket, int | None] = {}
        self._asked_in_turn = -1
        self._operations: dict[Operation, Callable[[int, str, Target, bytes, float], None]] = {
            "status": self._status,
            "enc_keys": self._enc_keys,
            "dec_keys": self._dec_keys,
        }

    @property
    def limits(self) -> DeliveryLimits:
        """The limits that hold."""
        return self._limits

    @property
    def needs_commit(self) -> bool:
        """Whether the key manager was asked for keys in its open turn."""
        return self._asked_in_turn == self._manager.turn

    @property
    def awaits_keys(self) -> bool:
        """Whether requests for keys wait for an answer of the key manager, which comes with a later turn."""
        return bool(self._tickets)

    def receive_request(self, number: int, request: Request, caller: str | None, *, now_seconds: float) -> None:
        """Take one request; exactly one response with its number comes, unless it is abandoned.

        Args:
            number: that the driver gave it; of no other request under way.
            request: method, target and body.
            caller: the application that TLS has shown to ask; None if its certificate names none.
            now_seconds: the time, for the key manager.

        Raises:
            InputError: no request or number.
        """
        number = whole_number("number", number)
        instance("request", request, Request)
        try:
            self._take(number, request, caller, now_seconds)
        except RefusedRequest as refused:
            self._ready.append((number, error_answer(refused)))
        except StoreUnavailable:
            self._ready.append((number, _store_failed()))  # it rests on nothing, and no commit may come
        except QkdpostError as error:
            self._later(number, error_answer(_refusal(error, mandatory=False)))

    def receive_events(self, events: Iterable[Event]) -> tuple[Event, ...]:
        """Take what the key manager reports after a commit, and return what is not about requests of this service.

        Of keys that are released, those of an abandoned request are overwritten.
        """
        others = []
        for event in events:
            if isinstance(event, KeysReleased) and event.ticket in self._tickets:
                self._answer(event.ticket, key_answer(event.keys))
                _erase(event.keys)
            elif isinstance(event, RequestRefused) and event.ticket in self._tickets:
                self._answer(event.ticket, error_answer(_refusal(event.error, mandatory=True)))
            else:
                others.append(event)
        return tuple(others)

    def abandon(self, number: int) -> None:
        """Forget a request whose connection is gone: its keys are void, or overwritten unseen if they are released."""
        for ticket in [ticket for ticket, asked in self._tickets.items() if asked == number]:
            self._tickets[ticket] = None
            self._asked_in_turn = self._manager.turn
            with contextlib.suppress(StoreUnavailable):  # every request is refused then
                self._manager.abandon(ticket)
        answers = [(asked, answer) for asked, _, answer in self._uncommitted] + self._ready
        for response in [answer for asked, answer in answers if asked == number]:
            response.clear()
        self._ready = [entry for entry in self._ready if entry[0] != number]
        self._uncommitted = [entry for entry in self._uncommitted if entry[0] != number]

    def responses(self) -> list[tuple[int, Response]]:
        """Return the responses that may leave now, each with the number of its request.

        Where the turn was lost that an answer rests on, its keys are overwritten and the answer is 503.
        """
        if self._uncommitted:
            self._settle()
        ready, self._ready = self._ready, []
        return ready

    def _take(self, number: int, request: Request, caller: str | None, now_seconds: float) -> None:
        target = read_target(request.target)
        _check_method(request, target)
        if request.body:
            self._check_body(request)
        known = self._checked_caller(caller)
        self._operations[target.operation](number, known, target, request.body, now_seconds)

    def _check_body(self, request: Request) -> None:
        if len(request.body) > self._limits.longest_body_bytes:
            raise RefusedRequest(413, f"a body shall have at most {self._limits.longest_body_bytes} bytes")
        if request.method == "GET":
            raise RefusedRequest(400, "a GET shall have no body")
        check_form(request.body)

    def _checked_caller(self, caller: str | None) -> str:
        """Return the caller, if it is an application of this site: the interface is for no others."""
        if caller is not None and self._manager.site_of(caller) == self._manager.name:
            return caller
        raise RefusedRequest(401, _NOT_AUTHORISED)

    def _check_slave(self, master: str, slave: str) -> None:
        if slave == master:
            raise RefusedRequest(400, "master and slave shall be two applications")
        if self._manager.site_of(slave) is None:
            raise RefusedRequest(self._limits.unknown_application_status, _NOT_AUTHORISED)

    def _check_pair(self, master: str, slave: str) -> None:
        if not self._manager.may_share(master, slave):
            raise RefusedRequest(401, _NOT_AUTHORISED)

    def _status(self, number: int, caller: str, target: Target, body: bytes, now_seconds: float) -> None:
        if target.parameters:
            raise RefusedRequest(400, "status has no parameters")
        self._check_slave(caller, target.application)
        self._check_pair(caller, target.application)
        try:
            stock = self._manager.stock(master=caller, slave=target.application)
        except QkdpostError as error:
            raise _refusal(error, mandatory=False) from None
        self._ready.append((number, status_answer(self._told(caller, target.application, stock))))

    def _told(self, master: str, slave: str, stock: Stock) -> Status:
        limits = self._limits
        return Status(
            source_KME_ID=stock.source,
            target_KME_ID=stock.target,
            master_SAE_ID=master,
            slave_SAE_ID=slave,
            key_size=limits.key_size_bits,
            stored_key_count=min(stock.deliverable_bits // limits.key_size_bits, limits.most_stored_keys),
            max_key_count=limits.most_stored_keys,
            max_key_per_request=limits.most_keys,
            max_key_size=limits.longest_key_bits,
            min_key_size=limits.shortest_key_bits,
            max_SAE_ID_count=limits.most_additional_slaves,
        )

    def _enc_keys(self, number: int, caller: str, target: Target, body: bytes, now_seconds: float) -> None:
        asked = read_key_request(body, target.parameters, self._limits)
        slaves = (target.application, *asked.additional_slaves)
        if len({caller, *slaves}) != len(slaves) + 1:
            raise RefusedRequest(400, "master, slave and additional_slave_SAE_IDs shall be different applications")
        for slave in slaves:
            self._check_slave(caller, slave)
        for slave in slaves:
            self._check_pair(caller, slave)
        self._tickets[self._requested(caller, slaves, asked, now_seconds)] = number

    def _requested(self, caller: str, slaves: tuple[str, ...], asked: KeyRequest, now_seconds: float) -> Ticket:
        """Ask the key manager: with the optional extensions first, and without them if they cannot be met."""
        mandatory = mandatory_requirements(asked.mandatory)
        both = with_optional(asked.mandatory, asked.optional)

        def ask(requirements: KeyRequirements) -> Ticket:
            self._asked_in_turn = self._manager.turn
            return self._manager.request_keys(
                master=caller,
                slaves=slaves,
                number=asked.number,
                size_bits=asked.size_bits,
                now_seconds=now_seconds,
                requirements=requirements,
            )

        if both is not None:
            with contextlib.suppress(UnsupportedRequest):
                return ask(both)
        try:
            return ask(mandatory)
        except UnsupportedRequest as error:
            raise _refusal(error, mandatory=bool(asked.mandatory)) from None

    def _dec_keys(self, number: int, caller: str, target: Target, body: bytes, now_seconds: float) -> None:
        if target.application == caller:
            raise RefusedRequest(400, "master and slave shall be two applications")
        key_ids = read_key_ids(body, target.parameters, self._limits)
        self._asked_in_turn = self._manager.turn
        keys = self._manager.fetch_keys(
            caller=caller, master=target.application, key_ids=key_ids, now_seconds=now_seconds
        )
        self._later(number, key_answer(keys))
        _erase(keys)

    def _later(self, number: int, response: Response) -> None:
        """Hold an answer until the turn is durable that it rests on."""
        self._uncommitted.append((number, self._manager.turn, response))

    def _settle(self) -> None:
        uncommitted, self._uncommitted = self._uncommitted, []
        for number, turn, response in uncommitted:
            outcome = self._manager.outcome(turn)
            if outcome == "durable":
                self._ready.append((number, response))
            elif outcome == "lost":
                response.clear()
                self._ready.append((number, _store_failed()))
            else:
                self._uncommitted.append((number, turn, response))

    def _answer(self, ticket: Ticket, response: Response) -> None:
        number = self._tickets.pop(ticket)
        if number is None:
            response.clear()
        else:
            self._ready.append((number, response))


def _check_method(request: Request, target: Target) -> None:
    allowed = METHODS[target.operation]
    if request.method not in allowed:
        raise RefusedRequest(405, f"{target.operation} allows {', '.join(allowed)}", allow=", ".join(allowed))
    if request.method == "POST" and target.parameters:
        raise RefusedRequest(400, "a POST shall have its parameters in the body")


def _refusal(error: QkdpostError, *, mandatory: bool) -> RefusedRequest:
    """Return what an error of the key manager is told as; `mandatory`: extensions had to be met."""
    if isinstance(error, NotAuthorised):
        return RefusedRequest(401, _NOT_AUTHORISED)
    if isinstance(error, KeyNotFound):
        return RefusedRequest(400, MISSING_KEYS)
    if isinstance(error, UnsupportedRequest):
        return RefusedRequest(400, UNMET if mandatory else shortened(str(error)))
    if isinstance(error, InputError):
        return RefusedRequest(400, shortened(str(error)))
    return RefusedRequest(503, _UNAVAILABLE.get(type(error), "the KME cannot answer at present"), [_reason(error)])


def _reason(error: QkdpostError) -> dict[str, object]:
    return {"qkdpost_reason": type(error).__name__}


def _store_failed() -> Response:
    return error_answer(_refusal(StoreUnavailable(), mandatory=False))


def _erase(keys: Sequence[DeliveredKey]) -> None:
    for key in keys:
        key.erase()
