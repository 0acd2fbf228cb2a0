"""The landing page: what this is, and where to go."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --ground: #ffffff; --link: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --ground: #16191d; --link: #8ab4f8; } }
body { margin: 3rem auto; max-width: 40rem; padding: 0 1rem; color: var(--text); background: var(--ground);
  font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--link); }
"""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>qbusiness-exporter</title>
<style>{style}</style>
</head>
<body>
<h1>qbusiness-exporter</h1>
<p>Prometheus exporter for Amazon Q Business data source sync jobs, version {version}.</p>
<ul>
{links}
</ul>
</body>
</html>
"""

CONTENT_SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


def landing_page(version: str, links: Mapping[str, str]) -> str:
    """Render the page with its links, which lead from a name to a path."""
    items = (f'<li><a href="{escape(quote(path))}">{escape(name)}</a></li>' for name, path in links.items())
    return PAGE.format(style=STYLE, version=escape(version), links="\n".join(items))
