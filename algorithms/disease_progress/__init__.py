"""Predicts how far diabetes will have progressed in a year, as an interval rather than a point."""
