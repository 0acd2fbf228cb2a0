"""Amazon Bedrock knowledge bases: the operations, the parsing of their responses, and the IAM actions they need."""
