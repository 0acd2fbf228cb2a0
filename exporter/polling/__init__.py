"""The write half: which data source is polled next, one poll of it, and how far back the poll reads."""
