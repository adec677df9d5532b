"""What the default branch says, made so on an engine: pipelines, versions and schedules.

`wanted` is what specs say, `state` what the engine holds, `past` what specs said when that was
made, `difference` the plan between them, and `apply` makes it so. Knows no engine by name.
"""
