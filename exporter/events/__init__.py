"""Hints from EventBridge that a sync was started or stopped, received from a queue of Amazon SQS."""
