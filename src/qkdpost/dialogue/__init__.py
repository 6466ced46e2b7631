"""What two hosts say to each other, and what it costs; no bytes."""
