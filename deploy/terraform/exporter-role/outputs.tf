output "role_arn" {
  description = "What exporter_role_arn of ../cross-account-role is to be."
  value       = aws_iam_role.exporter.arn
}
