"""What applications do in the network example: they fetch keys at both ends, whatever happens in between."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from dataclasses import dataclass

from network_applications import Application, Delivered, Refused, talk_tls
from network_set_up import RunningNetwork

WAIT_SECONDS = 60
AGAIN_SECONDS = 0.2
KEY_BITS = 256
PAUSE_SECONDS = 0.25
"""Between two requests of the load: the stock of the example is small."""
KEYS_AFTERWARDS = 10
DOWN_SECONDS = 1.0
"""How long the killed key manager stays away."""


@dataclass
class Delivery:
    """One key: who got it, and what each got."""

    scene: str
    master: str
    slaves: tuple[str, ...]
    keys: dict[str, Delivered]
    """From site to what the application there got."""

    @property
    def equal(self) -> bool:
        got = list(self.keys.values())
        return len(got) == 1 + len(self.slaves) and all(
            (key.key_id, key.key, key.extension) == (got[0].key_id, got[0].key, got[0].extension) for key in got
        )

    @property
    def extension(self) -> dict[str, object]:
        return self.keys[self.master].extension


def faults_of(deliveries: list[Delivery]) -> list[str]:
    """Say what is wrong with keys: unequal ones, IDs or keys that came twice."""
    found = [f"{one.master} to {', '.join(one.slaves)}: unequal" for one in deliveries if not one.equal]
    for what, count in Counter(one.keys[one.master].key_id for one in deliveries).items():
        found += [f"key ID {what} came {count} times"] * (count > 1)
    for count in Counter(one.keys[one.master].key for one in deliveries).values():
        found += [f"the same key came {count} times"] * (count > 1)
    return found


def share_keys(
    running: RunningNetwork,
    scene: str,
    master: str,
    slaves: tuple[str, ...],
    number: int,
    demands: dict[str, object] | None = None,
) -> list[Delivery]:
    """Let the application at one site ask for keys, and those at the others fetch them by their IDs.

    The IDs go from application to application by whatever line they have; here they are in one program.
    """
    ends = {site: running.application_at(site) for site in (master, *slaves)}
    request: dict[str, object] = {"number": number, "size": KEY_BITS}
    if demands:
        request["extension_mandatory"] = [demands]
    try:
        return fetch(ends, scene, master, slaves, request)
    finally:
        close_all(ends)


def close_all(ends: dict[str, Application]) -> None:
    for end in ends.values():
        end.close()


def fetch(
    ends: dict[str, Application], scene: str, master: str, slaves: tuple[str, ...], request: dict[str, object]
) -> list[Delivery]:
    others = [ends[site].name for site in slaves]
    return hand_over(ends, scene, master, slaves, ask_until_there(ends[master], others, request))


def hand_over(
    ends: dict[str, Application], scene: str, master: str, slaves: tuple[str, ...], first: list[Delivered]
) -> list[Delivery]:
    """Let the slaves fetch what the master got, if it got anything."""
    if not first:
        return []
    got = {master: first}
    for site in slaves:
        got[site] = ends[site].keys_by_id(ends[master].name, [key.key_id for key in first])
    return [
        Delivery(scene, master, slaves, {site: keys[place] for site, keys in got.items()})
        for place in range(len(first))
    ]


def ask_until_there(end: Application, slaves: list[str], request: dict[str, object]) -> list[Delivered]:
    """Ask for keys, and again as long as the key manager says that it has too little at present (503)."""
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            return end.new_keys(*slaves, **request)
        except Refused as refused:
            if refused.status != 503 or time.monotonic() > deadline:
                raise
        time.sleep(AGAIN_SECONDS)


def ask_once(end: Application, slave: str) -> list[Delivered]:
    """Ask for one key; none, if there is too little at present."""
    try:
        return end.new_keys(slave, number=1, size=KEY_BITS)
    except Refused as refused:
        if refused.status != 503:
            raise
        return []


def kill_under_load(running: RunningNetwork, first: str, second: str, hut: str, seconds: float) -> list[Delivery]:
    """Let two applications share keys without a pause, in both directions, while a hut is killed and started again."""
    found: list[Delivery] = []
    faults: list[BaseException] = []
    over = threading.Event()

    def load(master: str, slave: str) -> None:
        ends = {site: running.application_at(site) for site in (master, slave)}
        try:
            while not over.wait(PAUSE_SECONDS):
                keys = ask_once(ends[master], ends[slave].name)
                found.extend(hand_over(ends, f"while {hut} was killed", master, (slave,), keys))
        except BaseException as fault:
            faults.append(fault)
        finally:
            close_all(ends)

    threads = [threading.Thread(target=load, args=ends) for ends in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    before = len(found)
    running.kill(hut)
    time.sleep(DOWN_SECONDS)
    running.start_again(hut)
    meanwhile, deadline = len(found) - before, time.monotonic() + WAIT_SECONDS
    while len(found) < before + meanwhile + KEYS_AFTERWARDS and time.monotonic() < deadline and not faults:
        time.sleep(PAUSE_SECONDS)
    over.set()
    for thread in threads:
        thread.join()
    if faults:
        raise faults[0]
    after = len(found) - before - meanwhile
    print(f"{hut} killed after {before} keys; {meanwhile} came while it was away, {after} since it is back", flush=True)
    return found


def tls_with_delivered_keys(delivery: Delivery) -> bool:
    """Let the applications of a delivered key speak TLS 1.3 with it; each side uses what it fetched itself."""
    if shutil.which("openssl") is None:
        print("TLS left out: the openssl command is not installed")
        return True
    first, second = list(delivery.keys.values())[:2]
    said = talk_tls(first, second)
    works = "TLSv1.3" in said and "syek lauqe" in said
    print(f"TLS 1.3 with key {first.key_id} as pre-shared key: {'works' if works else said}", flush=True)
    return works
