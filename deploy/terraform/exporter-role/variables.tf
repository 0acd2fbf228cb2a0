variable "role_arns" {
  description = "ARNs of the roles that the exporter may assume: the output role_arn of ../cross-account-role in each account."
  type        = list(string)
  validation {
    condition     = length(var.role_arns) > 0 && alltrue([for arn in var.role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "role_arns must be ARNs of roles, without wildcards."
  }
}

variable "cluster_name" {
  description = "Name of the EKS cluster of the exporter. The EKS Pod Identity agent must be installed."
  type        = string
}

variable "namespace" {
  description = "Namespace of the exporter."
  type        = string
  default     = "monitoring"
}

variable "service_account" {
  description = "Name of the exporter's service account, as created by the chart."
  type        = string
  default     = "qbusiness-exporter"
}

variable "name" {
  description = "Name of the role."
  type        = string
  default     = "qbusiness-exporter"
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary, if the organisation requires one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the created resources."
  type        = map(string)
  default     = {}
}
