"""Sifting where detections have numbered slots."""
