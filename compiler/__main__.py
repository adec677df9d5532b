"""`python -m compiler` is `mlc`."""

from compiler.cli import main

main()
