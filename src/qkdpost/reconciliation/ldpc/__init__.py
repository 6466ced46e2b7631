"""LDPC codes with rate adaptation and blind rounds."""
