"""Cases of requests and answers by ETSI GS QKD 014: read, corrected with a reason, and run in any world that can.

A world sends one request of one application to one key manager, and does what steps without a request say: `set_stock`,
`restart` and so on. Worlds differ in what is between: nothing at all, or HTTPS.
"""

from __future__ import annotations

import base64
import copy
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

STATUS_ITEMS = {
    "source_KME_ID",
    "target_KME_ID",
    "master_SAE_ID",
    "slave_SAE_ID",
    "key_size",
    "stored_key_count",
    "max_key_count",
    "max_key_per_request",
    "max_key_size",
    "min_key_size",
    "max_SAE_ID_count",
}
_BASE64 = re.compile(r"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Call:
    """One request; `caller` None is a client without certificate."""

    caller: str | None
    at: str
    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    newest_tls: str | None = None


class World(Protocol):
    def send(self, call: Call) -> Answer | None:
        """Return the answer; None if the connection ended without one."""

    def send_at_once(self, calls: list[Call]) -> list[Answer | None]:
        """Send all before any is answered, where the world can."""

    def do(self, step: Mapping[str, Any]) -> None:
        """Do what a step without a request says."""

    def check(self, text: str) -> None:
        """See to what a step asks to check in words."""


def cases_path() -> Path:
    root = Path(__file__).resolve().parent.parent.parent
    return Path(os.environ.get("QKDPOST_CASES", root.parent / "shared" / "cases")) / "etsi014_cases.jsonl"


def read_cases() -> list[dict[str, Any]]:
    """Return the cases as they are to be run: the file's, corrected, and those that it lacks; [] without the file."""
    path = cases_path()
    if not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    return [corrected(case) for case in cases if case["id"] != "_world"] + ADDED


def _no_http_answer(case: dict[str, Any]) -> None:
    case["steps"][0]["expect"] = {"status": "no answer"}


def _no_answer_or_401(case: dict[str, Any]) -> None:
    case["steps"][0]["expect"] = {"status": [401, "no answer"]}


def _new_key_or_503(case: dict[str, Any]) -> None:
    case["steps"][2] = {"check": "what KME-B holds for SAE-B is known to KME-A, voided or expired"}


CORRECTIONS: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "tls-01": (_no_http_answer, "in TLS 1.3 the client's handshake ends well; the refusal shows at its first read"),
    "tls-03": (_no_http_answer, "as tls-01"),
    "tls-04": (_no_http_answer, "refused in the handshake, which the client sees as no answer"),
    "tls-06": (_no_answer_or_401, "key managers have an authority of their own, so that the handshake may fail"),
    "fault-04": (_new_key_or_503, "keys of a broken connection are void or new, and void ones may have expired"),
}
"""What the file has otherwise: how it is corrected, and why."""


def corrected(case: dict[str, Any]) -> dict[str, Any]:
    if case["id"] not in CORRECTIONS:
        return case
    case = copy.deepcopy(case)
    CORRECTIONS[case["id"]][0](case)
    return case


def _get(caller: str, at: str, path: str, expect: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"as": caller, "at": at, "method": "GET", "path": f"/api/v1/keys/{path}", "expect": expect, **more}


def _post(caller: str, at: str, path: str, body: Any, expect: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "as": caller,
        "at": at,
        "method": "POST",
        "path": f"/api/v1/keys/{path}",
        "body": body,
        "expect": expect,
    } | (more)


_ERROR = {"status": 400, "error": True}
_KEY = _get("SAE-A", "KME-A", "SAE-B/enc_keys", {"status": 200}, save="k")

ADDED: list[dict[str, Any]] = [
    {
        "id": "dec-07-known",
        "basis": "spec",
        "note": "a key manager that knows the ID answers 401 to an application that was not named",
        "steps": [
            _KEY,
            _get("SAE-E", "KME-B", "SAE-A/dec_keys?key_ID=${k.0.key_ID}", {"status": 401, "error": True}),
            _get("SAE-B", "KME-B", "SAE-A/dec_keys?key_ID=${k.0.key_ID}", {"status": 200, "same_as": "k"}),
        ],
    },
    {
        "id": "dec-12-upper",
        "basis": "choice",
        "note": "RFC 9562: read in either case, written in lower case",
        "steps": [
            _KEY,
            _get("SAE-B", "KME-B", "SAE-A/dec_keys?key_ID=${k.0.key_ID.upper}", {"status": 200, "same_as": "k"}),
        ],
    },
    {
        "id": "dec-17-null",
        "basis": "client",
        "note": "a public client sends null for what it has not",
        "steps": [
            _KEY,
            _post(
                "SAE-B",
                "KME-B",
                "SAE-A/dec_keys",
                {"key_IDs": [{"key_ID": "${k.0.key_ID}", "key_ID_extension": None}], "key_IDs_extension": None},
                {"status": 200, "same_as": "k"},
            ),
        ],
    },
    {
        "id": "enc-03-null",
        "basis": "client",
        "note": "null is as good as nothing for lists, but is no integer",
        "steps": [
            _post(
                "SAE-A",
                "KME-A",
                "SAE-B/enc_keys",
                {"additional_slave_SAE_IDs": None, "extension_mandatory": None, "extension_optional": None},
                {"status": 200, "keys": {"count": 1, "bits": 256}},
            ),
            _post("SAE-A", "KME-A", "SAE-B/enc_keys", {"number": None}, _ERROR),
        ],
    },
    {
        "id": "enc-12-zero",
        "basis": "choice",
        "note": "0 and -8 are multiples of 8 out of range",
        "steps": [
            _post("SAE-A", "KME-A", "SAE-B/enc_keys", {"size": 0}, _ERROR),
            _post("SAE-A", "KME-A", "SAE-B/enc_keys", {"size": -8}, _ERROR),
            _get("SAE-A", "KME-A", "SAE-B/enc_keys?size=0", _ERROR),
        ],
    },
    {
        "id": "enc-27-dec",
        "basis": "choice",
        "note": "blank names, and one's own, for dec_keys too",
        "steps": [
            _post("SAE-B", "KME-B", "%20/dec_keys", {"key_IDs": []}, _ERROR),
            _get("SAE-B", "KME-B", "SAE-B/dec_keys?key_ID=bc490419-7d60-487f-adc1-4ddcc177c139", _ERROR),
            _post("SAE-A", "KME-A", "SAE-A/enc_keys", {}, _ERROR),
        ],
    },
]
"""Cases that the file lacks."""


class Failed(AssertionError):
    """A step of a case that went otherwise."""


def run_case(case: dict[str, Any], world: World) -> None:
    saved: dict[str, Any] = {}
    for place, step in enumerate(case["steps"]):
        try:
            _run_step(step, world, saved)
        except AssertionError as error:
            raise Failed(f"{case['id']}, step {place}: {error} ({case.get('note', '')})") from error


def _run_step(step: dict[str, Any], world: World, saved: dict[str, Any]) -> None:
    if "do" in step:
        world.do(step)
    elif "check" in step:
        if step["check"] == "exactly one of the 16 answers is 200":
            assert saved["parallel"].count(200) == 1, saved["parallel"]
        else:
            world.check(step["check"])
    elif "parallel" in step:
        call = call_of(step["step"], saved)
        answers = world.send_at_once([call] * step["parallel"])
        for answer in answers:
            check_answer(answer, step["step"], saved)
        saved["parallel"] = [answer.status for answer in answers if answer]
    else:
        answer = world.send(call_of(step, saved))
        check_answer(answer, step, saved)
        if "save" in step and answer is not None and answer.status == 200:
            saved[step["save"]] = answer.json


def call_of(step: dict[str, Any], saved: dict[str, Any]) -> Call:
    headers = dict(step.get("headers", {}))
    body = b""
    if "body" in step:
        headers.setdefault("Content-Type", "application/json")
        body = _substituted(json.dumps(step["body"]), saved).encode()
    elif isinstance(step.get("raw_body"), dict):
        raw = step["raw_body"]
        body = (raw["prefix"] + raw["fill"] * raw["count"] + raw["suffix"]).encode()
    elif "raw_body" in step:
        body = step["raw_body"].encode()
    path = _substituted(step["path"], saved)
    return Call(step["as"], step["at"], step["method"], path, body, headers, step.get("tls_max"))


def _substituted(text: str, saved: dict[str, Any]) -> str:
    def value(match: re.Match[str]) -> str:
        name, place, *how = match[1].split(".")[0], match[1].split(".")[1], *match[1].split(".")[3:]
        if place == "*":
            return json.dumps([{"key_ID": key["key_ID"]} for key in saved[name]["keys"]])
        found = saved[name]["keys"][int(place)]["key_ID"]
        return found.upper() if how == ["upper"] else found

    text = re.sub(r'"\$\{(\w+\.\*)\}"', value, text)
    return re.sub(r"\$\{([\w.]+)\}", value, text)


def check_answer(answer: Answer | None, step: dict[str, Any], saved: dict[str, Any]) -> None:
    expect = step["expect"]
    allowed = expect["status"] if isinstance(expect["status"], list) else [expect["status"]]
    assert (answer.status if answer else "no answer") in allowed, (answer and answer.body[:200], allowed)
    if answer is None:
        return
    for name, value in expect.get("header", {}).items():
        assert answer.headers.get(name.lower()) == value, answer.headers
    if step["method"] != "HEAD":
        assert answer.headers["content-type"] == "application/json"
        _check_body(answer, step, saved)
    assert answer.headers["cache-control"] == "no-store"


def _check_body(answer: Answer, step: dict[str, Any], saved: dict[str, Any]) -> None:
    expect = step["expect"]
    found = answer.json
    if answer.status != 200:
        assert isinstance(found["message"], str)
        assert set(found) <= {"message", "details"}
        for name in ("message", "details"):
            assert name not in expect or found[name] == expect[name], found
        return
    if step["path"].endswith("/status"):
        assert set(found) == STATUS_ITEMS
    for name, value in expect.get("json_contains", {}).items():
        assert found[name] == value, (name, found[name])
    for name in expect.get("integers", []):
        assert type(found[name]) is int, name
    if "stored_key_count" in expect:
        name, minus = expect["stored_key_count"].split(" - ")
        # A frame's tag may cost a key's worth where nothing is reserved for it.
        spent = saved[name]["stored_key_count"] - found["stored_key_count"]
        assert int(minus) <= spent <= (int(minus) + 1 if int(minus) else 0), found
    if "keys" in found:
        check_keys(found["keys"], expect, saved)


def check_keys(keys: list[dict[str, Any]], expect: dict[str, Any], saved: dict[str, Any]) -> None:
    for key in keys:
        assert _BASE64.fullmatch(key["key"])
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", key["key_ID"])
    if "keys" in expect:
        assert len(keys) == expect["keys"]["count"]
        assert {8 * len(base64.b64decode(key["key"])) for key in keys} == {expect["keys"]["bits"]}
    for name in expect.get("distinct", []):
        assert len({key[name] for key in keys}) == len(keys)
    if "same_as" in expect:
        name, *reverse = expect["same_as"].split()
        wanted = [(key["key_ID"], key["key"]) for key in saved[name]["keys"]]
        assert [(key["key_ID"], key["key"]) for key in keys] == (wanted[::-1] if reverse else wanted)
