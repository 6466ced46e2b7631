"""Raptor-like codes beside the packaged ones of `information-reconciliation`: same rate, noise and number of frames.

    python -m venv peer && peer/bin/pip install information-reconciliation==1.0.0
    python -m benchmarks.raptor_peer --peer-python peer/bin/python [--rows 320] [--frames 16] [--rounds 3]

The peer runs in an environment of its own, by turns with this library, in one run. Either is timed from symbols and
outcomes to decoded bits, rotations included, in processor time; neither has increments. The peer is given its arguments
as lists, which it asks for, before the clock starts.
"""

from __future__ import annotations

import statistics
import subprocess
import time

import numpy as np

import qkdpost as qp
from benchmarks.options import parser_of
from qkdpost.reconciliation.channel import LogLikelihoods
from qkdpost.reconciliation.multidimensional import rotation_messages, virtual_channel
from qkdpost.reconciliation.raptor.decoders import RAPTOR_DECODERS
from qkdpost.reconciliation.raptor.plan import FramePlan
from qkdpost.reconciliation.raptor.syndromes import syndromes_of

PEER = """
import sys, time
import numpy as np
import information_reconciliation as peer
rate, snr, frames, seed = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
rng = np.random.default_rng(seed)
reals = frames * round(20_000 / rate)
x = rng.standard_normal(reals)
y = x + rng.standard_normal(reals) / np.sqrt(snr)
x, y = x.tolist(), y.tolist()
started = time.process_time()
result = peer.reconcile(x, y, rate, 1.0 / snr, NoI=200)
print(reals / (time.process_time() - started) / 1e6)
"""


def own_speed(plan: FramePlan, snr: float, frames: int, seed: int) -> tuple[float, int]:
    """Return Mbit/s of raw code bits, and how many frames were decoded."""
    rng = np.random.default_rng(seed)
    reals = frames * plan.frame_bits
    x = rng.standard_normal(reals).astype(np.float32)
    y = (x + rng.standard_normal(reals) / np.sqrt(snr)).astype(np.float32)
    bits = qp.Bits.from_bytes(rng.bytes(reals // 8), reals)
    decoder = RAPTOR_DECODERS["layered"].compile(plan.code, plan.extension_rows)
    started = time.process_time()
    message = rotation_messages(y, bits, 8)
    syndromes = syndromes_of(plan, bits.words.reshape(frames, -1))
    channel = virtual_channel(x, message, 1.0, 1.0 / snr, frames=frames)
    decoded = decoder.decode(syndromes, LogLikelihoods(values=channel.values))
    elapsed = time.process_time() - started
    return reals / elapsed / 1e6, int(decoded.converged.sum())


def main() -> None:
    """Time both by turns and print medians and their ratio."""
    parser = parser_of(__doc__)
    parser.add_argument("--peer-python", required=True, help="Python of an environment that has the peer")
    parser.add_argument("--rows", type=int, default=320, help="extension rows of our code")
    parser.add_argument("--efficiency", type=float, default=0.9, help="at which both work")
    parser.add_argument("--frames", type=int, default=16, help="in a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of both")
    options = parser.parse_args()
    plan = FramePlan(options.rows)
    rate = 1.0 - plan.syndrome_bits / plan.frame_bits
    snr = 2.0 ** (2.0 * rate / options.efficiency) - 1.0
    own_speed(plan, snr, 1, 0)
    own, peer, decoded = [], [], 0
    for turn in range(options.rounds):
        speed, well = own_speed(plan, snr, options.frames, turn + 1)
        own.append(speed)
        decoded += well
        command = [options.peer_python, "-c", PEER, f"{rate:.4g}", repr(snr), str(options.frames), str(turn + 1)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        peer.append(float(done.stdout.split()[-1]))
    ratio = statistics.median(a / b for a, b in zip(own, peer, strict=True))
    print(f"rate {rate:.3f}, efficiency {options.efficiency}, SNR {snr:.4f}, {options.frames} frames a turn")
    print(f"here {statistics.median(own):.2f} Mbit/s ({decoded} of {options.frames * options.rounds} frames decoded)")
    print(f"peer {statistics.median(peer):.3f} Mbit/s; here / peer {ratio:.1f}")


if __name__ == "__main__":
    main()
