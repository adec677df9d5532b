"""The local engine: runs a pipeline on this machine, as processes, from the IR the targets get.

On the way of the data it stands where a target does, but for its end: not a file, a recorded run
with its artifacts under the project's `.mlc/`.
"""
