# Written by `make generate`.
variable "services" {
  description = "Services that the role may read: qbusiness, kendra and bedrock."
  type        = set(string)
  default     = ["qbusiness"]
  validation {
    condition     = length(var.services) > 0 && length(setsubtract(var.services, ["qbusiness", "kendra", "bedrock"])) == 0
    error_message = "services must be one or more of qbusiness, kendra and bedrock."
  }
}

locals {
  permissions = {
    qbusiness = {
      list     = ["qbusiness:ListApplications"]
      read     = ["qbusiness:ListIndices", "qbusiness:GetIndex", "qbusiness:ListDataSources", "qbusiness:GetDataSource", "qbusiness:ListDataSourceSyncJobs", "qbusiness:ListTagsForResource"]
      iam      = "qbusiness"
      resource = "application/*"
    }
    kendra = {
      list     = ["kendra:ListIndices"]
      read     = ["kendra:DescribeIndex", "kendra:ListDataSources", "kendra:DescribeDataSource", "kendra:ListDataSourceSyncJobs", "kendra:ListTagsForResource"]
      iam      = "kendra"
      resource = "index/*"
    }
    bedrock = {
      list     = ["bedrock:ListKnowledgeBases"]
      read     = ["bedrock:GetKnowledgeBase", "bedrock:ListDataSources", "bedrock:GetDataSource", "bedrock:ListIngestionJobs", "bedrock:GetIngestionJob", "bedrock:ListTagsForResource"]
      iam      = "bedrock"
      resource = "knowledge-base/*"
    }
  }
}
