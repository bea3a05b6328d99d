"""reference/api.md: what `import fedray` offers, from its docstrings (rendered by mkdocstrings)."""

from importlib.util import find_spec

from docs.generate.markdown import page

OPTIONS = """    options:
      heading_level: 3
      show_root_heading: true
      show_source: false
      members_order: source
"""
METHODS = ("fedray.methods.base.Method", "fedray.methods.base.MethodSection", "fedray.methods.base.MethodContext")
ROUND = ("fedray.protocol.View", "fedray.protocol.Assignment", "fedray.protocol.Plan", "fedray.protocol.DeviceReport")


def api_page() -> str:
    """The Python interface, if this fedray has one, and the contract of methods."""
    parts = []
    if find_spec("fedray.api"):
        parts += ["## import fedray\n", _rendered("fedray.api")]
    parts += ["## Contract of a method\n", *map(_rendered, METHODS)]
    parts += ["## What passes in a round\n", *map(_rendered, ROUND)]
    return page("Python", "docstrings", parts)


def _rendered(name: str) -> str:
    return f"::: {name}\n{OPTIONS}"
