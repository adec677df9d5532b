"""Engines for tests: servers on loopback that keep state and refuse as the real ones do."""
