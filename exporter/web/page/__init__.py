"""The status page as one HTML document with its own style and script, without external resources."""

from exporter.web.page.page import DEFAULT_PAGE_SIZE, StatusPage

__all__ = ["DEFAULT_PAGE_SIZE", "StatusPage"]
