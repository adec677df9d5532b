"""Tells which library a piece of documentation was written for, from its first words.

The documents are the docstrings of the installed libraries, so nothing is downloaded.
"""
