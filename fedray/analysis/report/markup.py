"""HTML as a tree: all text is escaped when it is written."""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str


def element(tag: str, *children: Child, **attributes: str) -> Element:
    """`element("p", "see ", element("b", "this"), class_="note")`; a trailing underscore keeps Python's words free."""
    node = Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    for child in children:
        if not isinstance(child, str):
            node.append(child)
        elif len(node):
            node[-1].tail = (node[-1].tail or "") + child
        else:
            node.text = (node.text or "") + child
    return node


def data_script(json: str) -> Element:
    """JSON for the page's script; no text in it can end the element."""
    return element("script", json.replace("<", "\\u003c"), type="application/json")


def document(title: str, style: str, body: Sequence[Element], scripts: Sequence[str]) -> str:
    """A page of its own: only these scripts may run, and nothing may be fetched from anywhere."""
    allowed = " ".join(f"'sha256-{b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" for script in scripts)
    policy = f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:"
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=policy),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", style),
    )
    page = element("html", head, element("body", *body, *(element("script", script) for script in scripts)), lang="en")
    return "<!doctype html>\n" + ElementTree.tostring(page, encoding="unicode", method="html") + "\n"
