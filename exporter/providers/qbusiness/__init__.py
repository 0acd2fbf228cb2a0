"""Amazon Q Business: the operations, the parsing of their responses, and the IAM actions they need."""
