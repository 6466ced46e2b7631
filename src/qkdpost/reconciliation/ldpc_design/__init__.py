"""How the LDPC codes were made; never imported at run time."""
