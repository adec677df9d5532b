"""The verbs of the command line: plain typed arguments in, an exit code out."""
