output "role_arn" {
  description = "Value for exporter_role_arn of ../cross-account-role."
  value       = aws_iam_role.exporter.arn
}
