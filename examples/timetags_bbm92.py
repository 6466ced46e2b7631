"""Two hosts make a secret key from time tags of entangled pairs.

    python examples/timetags_bbm92.py
    python examples/timetags_bbm92.py FILE --tick-ps 78.125 --dead-time-ps 23437

Without FILE the tags are simulated: two taggers that were started three seconds apart, whose clocks differ by 12 ppm.
FILE holds lines `channel tick`, both sides' clicks merged in the order of time; --alice-channels and --bob-channels say
which channels are whose, each in the order H, V, A, D: key basis 0 and 1, test basis 0 and 1. Each host is given only
its own clicks; clock, delays and window are found from the data.
"""

from __future__ import annotations

import argparse

import qkdpost as qp
from hosts import run_two_hosts


def four_channels(text: str) -> tuple[int, ...]:
    channels = tuple(int(number) for number in text.split(","))
    if len(channels) != 4:
        raise argparse.ArgumentTypeError(f"four numbers separated by commas are needed; found {len(channels)}")
    return channels


def simulated_tags() -> tuple[qp.TimeTags, qp.TimeTags]:
    """Draw what two taggers record of five seconds of a bright source."""
    receiver = qp.simulation.TaggingReceiver(transmittance=0.3, test_probability=0.3, delays_ps=(0, 900, -1400, 2300))
    return qp.simulation.bbm92_time_tags(
        duration_s=5.0,
        pair_rate_hz=2e5,
        alice=receiver,
        bob=receiver,
        clock_offset_ps=3e12,
        clock_drift_ppm=12.0,
        rng=1,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="of both sides' clicks (default: they are simulated)")
    parser.add_argument("--tick-ps", type=float, default=1.0, help="length of a tick of FILE in ps (default 1)")
    parser.add_argument("--alice-channels", type=four_channels, default=(0, 1, 2, 3), help="default 0,1,2,3")
    parser.add_argument("--bob-channels", type=four_channels, default=(4, 5, 6, 7), help="default 4,5,6,7")
    parser.add_argument("--dead-time-ps", type=float, default=0.0, help="drop clicks closer to another one (default 0)")
    parser.add_argument("--window-ps", type=float, default=0.0, help="half the window (default 0: found from the data)")
    parser.add_argument("--epsilon", type=float, default=1e-10, help="total security parameter (default 1e-10)")
    options = parser.parse_args()
    link = qp.LinkConfig(
        protocol=qp.BBM92TimeTags(dead_time_ps=options.dead_time_ps, coincidence_window_ps=options.window_ps),
        security=qp.Security(epsilon=options.epsilon),
    )
    if options.file is None:
        return run_two_hosts(*simulated_tags(), link)
    try:
        tags = qp.sifting.load_time_tags(
            options.file, options.tick_ps, alice=options.alice_channels, bob=options.bob_channels
        )
    except (OSError, qp.InputError) as error:
        parser.error(str(error))
    return run_two_hosts(*tags, link)


if __name__ == "__main__":
    raise SystemExit(main())
