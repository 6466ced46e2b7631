"""Drivers that own a socket and turn a session's bytes and events into a loop."""
