"""Other spec files: the bases that a spec extends, the components and algorithms that it uses.

`Library` reads them, `extend` merges bases into a spec before it is resolved.
"""

from __future__ import annotations

from compiler.compose.extends import extend
from compiler.compose.library import Circle, Library

__all__ = ["Circle", "Library", "extend"]
