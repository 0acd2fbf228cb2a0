# Creates a role in a monitored account. The exporter's role may assume it, and it grants read access to Q Business only.
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
  statement {
    sid       = "QbusinessEverything"
    actions   = ["qbusiness:ListApplications"]
    resources = ["*"] # ListApplications has no resource type to restrict it to
  }
  statement {
    sid = "QbusinessDataSources"
    actions = [
      "qbusiness:ListIndices",
      "qbusiness:GetIndex",
      "qbusiness:ListDataSources",
      "qbusiness:GetDataSource",
      "qbusiness:ListDataSourceSyncJobs",
      "qbusiness:ListTagsForResource",
    ]
    resources = [
      for region in var.regions :
      "arn:${data.aws_partition.this.partition}:qbusiness:${region}:${data.aws_caller_identity.this.account_id}:application/*"
    ]
  }
}

resource "aws_iam_role" "exporter" {
  name                 = var.name
  description          = "Assumed by qbusiness-exporter to read sync jobs of Amazon Q Business data sources"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
  max_session_duration = 3600
  tags                 = var.tags
}

resource "aws_iam_role_policy" "read" {
  name   = "read-qbusiness"
  role   = aws_iam_role.exporter.id
  policy = data.aws_iam_policy_document.read.json
}
