"""Finds what in a page could act or load something: scripts, forms, handlers, styles, foreign addresses."""

from __future__ import annotations

from html.parser import HTMLParser


class Danger(HTMLParser):
    """Collects whatever in a page could act or load."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in {"script", "svg", "iframe", "form", "input", "object", "embed", "link", "base"}:
            self.found.append(tag)
        for name, value in attrs:
            url = (value or "").strip().lower()
            if name.startswith("on") or url.startswith(("javascript:", "data:text")) or name == "style":
                self.found.append(f"{tag} {name}={value}")
            if name == "src" and not url.startswith("data:image/"):
                self.found.append(f"{tag} src={value}")


def find_dangers(page: str) -> list[str]:
    parser = Danger()
    parser.feed(page)
    return parser.found
