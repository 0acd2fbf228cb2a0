"""Amazon Bedrock knowledge bases: the operations, how their responses are read, and the IAM actions they need."""
