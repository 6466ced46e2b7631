"""The bytes between key managers."""
