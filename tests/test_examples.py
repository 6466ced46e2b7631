"""Every example runs as it stands."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import qkdpost as qp

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SETTLED = str(Path(__file__).resolve().parent / "support" / "settled")
"""Makes an example and the processes that it starts draw the same in every run: records, samples and frames."""


def start(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(EXAMPLES / name), *arguments]
    path = os.pathsep.join(filter(None, (SETTLED, os.environ.get("PYTHONPATH"))))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)


def run(name: str, *arguments: str) -> str:
    done = start(name, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def of_kind(kind: str) -> tuple[str, ...]:
    """Return the arguments for a kind; decoy states are what the file beside the example says."""
    return () if kind == "decoy-bb84" else ("--kind", kind)


@pytest.mark.parametrize(
    ("kind", "pulses", "fibre_km"),
    [
        ("bb84", 4_000_000, 20),
        ("bbm92", 40_000_000, 0),
        ("decoy-bb84", 40_000_000, 20),
        ("one-decoy", 40_000_000, 20),
        ("single-photon-bb84", 20_000_000, 20),
    ],
)
def test_two_hosts(kind: str, pulses: int, fibre_km: int) -> None:
    output = run("two_hosts.py", *of_kind(kind), "--pulses", str(pulses), "--fibre-km", str(fibre_km))
    assert "both hosts hold the same key" in output
    assert output.count("leakage charged") == 2
    for line in (
        "secret length:",
        "form: variable-length, against coherent attacks",
        "  without finite-size terms",
        "  assumes:",
    ):
        assert output.count(line) == 2


@pytest.mark.parametrize(
    ("kind", "pulses", "fibre_km", "bound"),
    [
        ("bb84", 4_000_000, 20, "lim-2021"),
        pytest.param("bbm92", 200_000_000, 0, "lim-2021", marks=pytest.mark.slow),
        ("decoy-bb84", 60_000_000, 20, "wiesemann-2026"),
        pytest.param("one-decoy", 60_000_000, 20, "wiesemann-2026", marks=pytest.mark.slow),
        ("single-photon-bb84", 20_000_000, 20, "variable-length"),
    ],
)
def test_two_hosts_with_a_length_planned_beforehand(kind: str, pulses: int, fibre_km: int, bound: str) -> None:
    lengths = ("--pulses", str(pulses), "--fibre-km", str(fibre_km), "--fixed-length")
    output = run("two_hosts.py", *of_kind(kind), *lengths)
    assert "both hosts hold the same key" in output
    assert output.count(f"bound: {bound}") == output.count("form: fixed-length, against coherent attacks") == 2


def test_two_hosts_say_why_there_is_no_key() -> None:
    done = start("two_hosts.py", "--pulses", "3000000", "--fibre-km", "50")
    assert done.returncode == 1
    assert "the hosts hold no common key" in done.stdout
    assert done.stdout.count("no key ") >= 2
    assert "certified rounds" in done.stdout
    done = start("two_hosts.py", "--pulses", "3000000", "--fibre-km", "50", "--fixed-length")
    assert done.returncode == 1
    assert "no key can be planned" in done.stderr
    assert "would give some" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--pulses", "0"), ("--fibre-km", "nan"), ("--kind", "smoke"), ("--link", "none.toml")]
)
def test_two_hosts_explain_what_they_cannot_take(arguments: tuple[str, ...]) -> None:
    done = start("two_hosts.py", *arguments)
    assert done.returncode == 2
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr


def test_time_tags_that_are_simulated() -> None:
    assert "both hosts hold the same key" in run("timetags_bbm92.py")


def test_time_tags(data_directory: Path) -> None:
    recorded = str(data_directory / "kwiat_bbm92_timetags" / "Alice1_Bob1_with_delays.txt")
    settings = ("--tick-ps", "78.125", "--dead-time-ps", "23437", "--window-ps", "625")
    assert "both hosts hold the same key" in run("timetags_bbm92.py", recorded, *settings)
    done = start("timetags_bbm92.py", recorded, *settings, "--alice-channels", "0,1,2,9")
    assert done.returncode == 2
    assert "9" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("correction", ["multidimensional", "slices"])
def test_coherent_states(correction: str) -> None:
    output = run("gaussian_cv.py", "--symbols", "1200000", "--fibre-km", "3", "--correction", correction)
    assert "bits per symbol expected" in output
    assert "key delivered" in output
    assert "against Gaussian, i.i.d. collective attacks" in output


def check_network(output: str, keys: int) -> None:
    assert re.search(r"hut-\d killed after \d+ keys; \d+ came while it was away, [1-9]\d* since it is back", output)
    assert "as pre-shared key: works" in output
    found = re.search(r"all (\d+) keys were equal, and none came twice", output)
    assert found
    assert int(found[1]) >= keys


def test_metropolitan_network_of_four_sites(tmp_path: Path) -> None:
    output = run("metropolitan_network.py", "--small", "--picture", str(tmp_path / "network.png"))
    check_network(output, 2 * 20 + 3 + 2)
    assert (tmp_path / "network.png").stat().st_size > 10_000
    for kind in ("decoy-bb84", "single-photon-bb84", "gaussian-cv"):
        assert kind in output


@pytest.mark.slow
def test_metropolitan_network_of_thirteen_sites() -> None:
    output = run("metropolitan_network.py", "--no-picture")
    check_network(output, 3 * 20 + 3 + 2)
    assert "hut-1, hut-2, hut-3" in output


def test_notebook_in_five_lines() -> None:
    assert "key delivered" in run("notebook_five_lines.py")


def test_the_link_of_the_example_is_whole() -> None:
    """A file that says what is at its default anyway, and no more than a reader must choose."""
    link = qp.LinkConfig.from_toml((EXAMPLES / "link.toml").read_text(encoding="utf-8"))
    assert link.protocol.kind == "decoy-bb84"
    assert qp.LinkConfig.from_toml(link.to_toml()) == link


def test_a_wrong_field_of_the_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "link.toml"
    file.write_text((EXAMPLES / "link.toml").read_text(encoding="utf-8").replace("in_flight", "in_fligth"))
    done = start("two_hosts.py", "--link", str(file))
    assert done.returncode == 2
    assert "blocks" in done.stderr
    assert "in_fligth" in done.stderr


@pytest.mark.parametrize("how", [(), ("--plain",)])
def test_prometheus_exporter(how: tuple[str, ...]) -> None:
    """With the client of Prometheus and without, by the parser of the client."""
    parser = pytest.importorskip("prometheus_client.parser")
    text = run("prometheus_exporter.py", "--once", *how)
    families = {family.name: family for family in parser.text_string_to_metric_families(text)}
    (keys,) = families["qkdpost_keys"].samples
    assert (keys.name, keys.labels, keys.value) == ("qkdpost_keys_total", {"link": "demonstration", "role": "bob"}, 1)
    assert families["qkdpost_keys"].type == "counter"
    assert families["qkdpost_key_pool_available_bytes"].type == "gauge"
    assert 0 < families["qkdpost_last_block_qber_ratio"].samples[0].value < 0.1
    assert families["qkdpost_received_bytes"].samples[0].value > 10_000


def test_prometheus_exporter_names_pools_by_their_peers() -> None:
    sys.path.insert(0, str(EXAMPLES))
    try:
        from prometheus_exporter import plain_text
    finally:
        sys.path.remove(str(EXAMPLES))
    text = plain_text(
        {'stored_bits{peer="b"}': 7, 'stored_bits{peer="c"}': 8, "qber_ratio": float("nan")}, {"site": "a"}
    )
    assert text.splitlines() == [
        "# TYPE qkdpost_qber_ratio gauge",
        'qkdpost_qber_ratio{site="a"} NaN',
        "# TYPE qkdpost_stored_bits gauge",
        'qkdpost_stored_bits{site="a",peer="b"} 7',
        'qkdpost_stored_bits{site="a",peer="c"} 8',
    ]
