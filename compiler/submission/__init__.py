"""From a branch to what is submitted of it: what changed, under which names, for which ticket.

Knows git, specs and ticket systems, and no engine by name.
"""
