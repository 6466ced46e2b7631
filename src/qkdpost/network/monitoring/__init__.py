"""What an operator sees of a key manager: lines of a log, and numbers."""
