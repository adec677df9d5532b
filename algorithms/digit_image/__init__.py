"""Reads handwritten digits: two kinds of classifier are trained, the better one is kept."""
