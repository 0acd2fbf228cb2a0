"""The status page and the runbooks as HTML documents with their own style and script, without external resources."""

from exporter.web.page.error_page import ErrorPage
from exporter.web.page.page import DEFAULT_PAGE_SIZE, StatusPage
from exporter.web.page.rendering import compile_templates
from exporter.web.page.runbook_page import RunbookPages

__all__ = ["DEFAULT_PAGE_SIZE", "ErrorPage", "RunbookPages", "StatusPage", "compile_templates"]
