"""Amazon Kendra: its operations, how its responses are read, and the IAM actions it needs."""
