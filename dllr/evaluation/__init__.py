"""Scores: arrays and plain numbers in, plain numbers out."""
