# Creates the role of the exporter in its own account. The role may only assume the roles of ../cross-account-role. If the exporter also
# monitors its own account, attach the policy ../../iam/discovery.json to the role.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.29"
    }
  }
}

data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "assume" {
  statement {
    sid       = "AssumeRole"
    actions   = ["sts:AssumeRole"]
    resources = var.role_arns
  }
}

resource "aws_iam_role" "exporter" {
  name                 = var.name
  description          = "Role of qbusiness-exporter: assumes the roles of the monitored accounts"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  permissions_boundary = var.permissions_boundary
  tags                 = var.tags
}

resource "aws_iam_role_policy" "assume" {
  name   = "assume-qbusiness-exporter-roles"
  role   = aws_iam_role.exporter.id
  policy = data.aws_iam_policy_document.assume.json
}

resource "aws_eks_pod_identity_association" "exporter" {
  cluster_name    = var.cluster_name
  namespace       = var.namespace
  service_account = var.service_account
  role_arn        = aws_iam_role.exporter.arn
  tags            = var.tags
}
