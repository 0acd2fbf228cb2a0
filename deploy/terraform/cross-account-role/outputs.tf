output "role_arn" {
  description = "What the target's role_arn is to be in config.yaml."
  value       = aws_iam_role.exporter.arn
}
