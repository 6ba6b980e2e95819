"""Makes what a submission put out safe to show: in Jupyter, in formgrader, on pages of our own.

Covered: scripts, event handlers, styles, frames, links that run code, SVG, terminal codes, sheer size.
Not covered: rude text.
"""

from __future__ import annotations

import base64
import binascii
import re
from functools import cache
from typing import Any

import jinja2
import nbformat
import nh3
from markupsafe import Markup, escape

from autograde.text import to_plain_text

MAX_IMAGE = 2 << 20
MAX_OUTPUTS = 50
IMAGE_STARTS = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff"}
TAGS = {
    "a", "b", "blockquote", "br", "caption", "code", "dd", "details", "div", "dl", "dt", "em", "h1", "h2", "h3", "h4",
    "h5", "h6", "hr", "i", "kbd", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub", "summary", "sup",
    "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
}  # fmt: skip
ATTRIBUTES = {"a": {"href", "title"}, "td": {"colspan", "rowspan"}, "th": {"colspan", "rowspan", "scope"}}


def sanitize_html(html: Any) -> str:
    """HTML with only harmless tags; cut to a bounded size before parsing."""
    cleaned: str = nh3.clean(
        to_plain_text(html), tags=TAGS, attributes=ATTRIBUTES, url_schemes={"http", "https", "mailto"}
    )
    return cleaned


def neutralize_markdown(text: str) -> str:
    """Markdown in which no HTML tag and no image is left: an invisible space keeps `<` from opening anything."""
    return re.sub(r"!(?=\[)", "!\u200b", re.sub(r"<(?=[A-Za-z/!?])", "<\u200b", text))


def sanitize_outputs(outputs: list[dict[str, Any]]) -> list[Any]:
    """The worker's outputs, which are hostile, as valid and harmless nbformat outputs."""
    safe = [_sanitize_output(output) for output in outputs[:MAX_OUTPUTS] if isinstance(output, dict)]
    return [nbformat.from_dict(output) for output in safe if output]


def _sanitize_output(output: dict[str, Any]) -> dict[str, Any] | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": "stream", "name": name, "text": to_plain_text(output.get("text", ""))}
    if kind == "error":
        lines = output.get("traceback")
        return {
            "output_type": "error",
            "ename": to_plain_text(output.get("ename", ""), 200),
            "evalue": to_plain_text(output.get("evalue", ""), 2000),
            "traceback": to_plain_text("\n".join(map(str, lines)) if isinstance(lines, list) else "").split("\n"),
        }
    data = output.get("data")
    if kind in ("display_data", "execute_result") and isinstance(data, dict):
        return {"output_type": "display_data", "data": _sanitize_data(data), "metadata": {}}
    return None


def _sanitize_data(data: dict[str, Any]) -> dict[str, str]:
    safe = {}
    for kind, value in data.items():
        if kind == "text/html":
            safe[kind] = sanitize_html(value)
        elif kind == "text/plain":
            safe[kind] = to_plain_text(value)
        elif kind in IMAGE_STARTS and _is_image(kind, value):
            safe[kind] = value
    return safe or {"text/plain": "[an output that cannot be shown safely was left out]"}


def _is_image(kind: str, value: Any) -> bool:
    if not isinstance(value, str) or len(value) > MAX_IMAGE:
        return False
    try:
        return base64.b64decode(value, validate=False).startswith(IMAGE_STARTS[kind])
    except (binascii.Error, ValueError):
        return False


def escape_formula(value: Any) -> str:
    """Text that a spreadsheet shows as it is, whatever a student's name begins with."""
    text = to_plain_text(value)
    return f"'{text}" if text[:1] in tuple("=+-@\t\r") and not isinstance(value, float) else text


def keep_safe_url(tag: str, attribute: str, value: str) -> str | None:
    """For nh3: images lie in the page, and no link does. An SVG that is an image runs and loads nothing."""
    if attribute == "src":
        return value if re.match(r"data:image/(png|jpeg|svg\+xml);base64,", value) else None
    if attribute == "href" and value.lower().lstrip().startswith("data:"):
        return None
    return value


def mark_code(text: str) -> Markup:
    """Text as HTML with code where the text has backticks; everything is escaped first."""
    return Markup(re.sub(r"`([^`\n]+)`", r"<code>\1</code>", str(escape(text))))


@cache
def load_template(name: str) -> jinja2.Template:
    """A template of the engine's. All that is put into it is escaped, and a name that is not given is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("autograde", "templates"), autoescape=True, undefined=jinja2.StrictUndefined
    )
    environment.filters["coded"] = mark_code
    return environment.get_template(name)
