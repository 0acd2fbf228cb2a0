output "queue_url" {
  description = "Value for events.queue_url of the target."
  value       = aws_sqs_queue.events.url
}

output "policy_json" {
  description = "Policy that allows reading and emptying the queue, for the identity or the role of the target."
  value       = data.aws_iam_policy_document.read.json
}
