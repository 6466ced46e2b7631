"""What key managers say to each other, as values: `greetings` outside of frames, `framed` within, `fields` of both.

They stand before pools and sessions, since both speak in them. Bytes are made of them in `peer.codec` alone.
"""
