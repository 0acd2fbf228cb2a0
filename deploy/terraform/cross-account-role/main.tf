# Creates a role in a monitored account. The exporter's role may assume it, and it grants read access to the chosen services only.
# The exporter's own role is in ../exporter-role.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [var.exporter_role_arn]
    }
    condition {
      test     = "StringEquals"
      variable = "sts:ExternalId"
      values   = [var.external_id]
    }
  }
}

data "aws_iam_policy_document" "read" {
  dynamic "statement" {
    for_each = var.services
    content {
      sid       = "${title(statement.value)}List"
      actions   = local.permissions[statement.value].list
      resources = ["*"] # these actions have no resource type to restrict them to
    }
  }
  dynamic "statement" {
    for_each = var.services
    content {
      sid     = "${title(statement.value)}Read"
      actions = local.permissions[statement.value].read
      resources = [
        for region in var.regions :
        "arn:${data.aws_partition.this.partition}:${local.permissions[statement.value].iam}:${region}:${data.aws_caller_identity.this.account_id}:${local.permissions[statement.value].resource}"
      ]
    }
  }
}

resource "aws_iam_role" "exporter" {
  name                 = var.name
  description          = "Assumed by qbusiness-exporter to read sync jobs of data sources"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "read" {
  name   = "read-sync-jobs"
  role   = aws_iam_role.exporter.id
  policy = data.aws_iam_policy_document.read.json
}
