# Written by `make generate`.
variable "service" {
  description = "Service of the target: qbusiness, kendra or bedrock."
  type        = string
  default     = "qbusiness"
  validation {
    condition     = contains(["qbusiness", "kendra", "bedrock"], var.service)
    error_message = "service must be qbusiness, kendra or bedrock."
  }
}

locals {
  events = {
    qbusiness = {
      source       = "aws.qbusiness"
      event_source = "qbusiness.amazonaws.com"
      operations   = ["StartDataSourceSyncJob", "StopDataSourceSyncJob"]
    }
    kendra = {
      source       = "aws.kendra"
      event_source = "kendra.amazonaws.com"
      operations   = ["StartDataSourceSyncJob", "StopDataSourceSyncJob"]
    }
    bedrock = {
      source       = "aws.bedrock"
      event_source = "bedrock.amazonaws.com"
      operations   = ["StartIngestionJob", "StopIngestionJob"]
    }
  }
}
