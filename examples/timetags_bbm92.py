"""Two hosts make a secret key from a file of time tags of entangled pairs.

    python examples/timetags_bbm92.py FILE [--tick-ps 78.125] [--dead-time-ps 23437] [--window-ps 625]

FILE holds lines `channel tick`, both sides' clicks merged in the order of time: channels 0-3 are Alice's H, V, A, D,
4-7 Bob's. Each host is given only its own clicks; clock, delays and window are found from the data.
"""

from __future__ import annotations

import argparse

import qkdpost as qp
from hosts import run_two_hosts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--tick-ps", type=float, default=78.125, help="length of a tick (default 78.125)")
    parser.add_argument("--dead-time-ps", type=float, default=23_437.0, help="drop closer clicks of one detector")
    parser.add_argument("--window-ps", type=float, default=0.0, help="half the window; 0: found from the data")
    parser.add_argument("--epsilon", type=float, default=1e-10, help="total security parameter (default 1e-10)")
    options = parser.parse_args()
    alice, bob = qp.sifting.load_time_tags(options.file, options.tick_ps)
    link = qp.LinkConfig(
        protocol=qp.BBM92TimeTags(dead_time_ps=options.dead_time_ps, coincidence_window_ps=options.window_ps),
        security=qp.Security(epsilon=options.epsilon),
    )
    return run_two_hosts(alice, bob, link)


if __name__ == "__main__":
    raise SystemExit(main())
