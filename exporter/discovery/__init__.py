"""Discovery finds the data sources of a target at an interval, selects them by filters, and detects removed ones."""
