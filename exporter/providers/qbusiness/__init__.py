"""Amazon Q Business: its operations, how its responses are read, and the IAM actions it needs."""
