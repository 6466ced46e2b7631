"""From raw records of both sides to sifted keys, one file per kind of QKD."""
