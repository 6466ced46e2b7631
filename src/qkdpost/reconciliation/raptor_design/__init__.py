"""How the raptor-like codes were made; never imported at run time."""
