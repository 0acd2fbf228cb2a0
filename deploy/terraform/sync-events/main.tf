# Creates the queue of events of one target, in the account and the region of its data sources, and the EventBridge rule that fills it.
# Set its output queue_url as events.queue_url, and attach its output policy_json to the identity or the role of the target.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

resource "aws_sqs_queue" "events" {
  name                      = var.name
  message_retention_seconds = 3600 # a hint that is older than this is of no use
  sqs_managed_sse_enabled   = true
  tags                      = var.tags
}

data "aws_iam_policy_document" "send" {
  statement {
    sid       = "EventBridge"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.events.arn]
    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.syncs.arn]
    }
  }
  statement {
    sid       = "OnlyWithTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.events.arn]
    principals {
      type        = "*"
      identifiers = ["*"]
    }
    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "events" {
  queue_url = aws_sqs_queue.events.url
  policy    = data.aws_iam_policy_document.send.json
}

resource "aws_cloudwatch_event_rule" "syncs" {
  name        = var.name
  description = "Syncs that were started or stopped, for qbusiness-exporter"
  event_pattern = jsonencode({
    source      = [local.events[var.service].source]
    detail-type = ["AWS API Call via CloudTrail"]
    detail = {
      eventSource = [local.events[var.service].event_source]
      eventName   = local.events[var.service].operations
    }
  })
  tags = var.tags
}

resource "aws_cloudwatch_event_target" "queue" {
  rule = aws_cloudwatch_event_rule.syncs.name
  arn  = aws_sqs_queue.events.arn
  # The matched event is passed as it is: the exporter rejects messages of another form.
}

data "aws_iam_policy_document" "read" {
  statement {
    sid       = "Events"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    resources = [aws_sqs_queue.events.arn]
  }
}
