"""The status page as HTML: one file with its own style and script, and no external resources."""

from exporter.web.page.page import SOURCES_A_PAGE, StatusPage

__all__ = ["SOURCES_A_PAGE", "StatusPage"]
