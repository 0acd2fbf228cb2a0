output "role_arn" {
  description = "Value for role_arn of the target in config.yaml."
  value       = aws_iam_role.exporter.arn
}
