variable "role_arns" {
  description = "Roles that the exporter may assume: output role_arn of ../cross-account-role in each account."
  type        = list(string)
  validation {
    condition     = length(var.role_arns) > 0 && alltrue([for arn in var.role_arns : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/[^*]+$", arn))])
    error_message = "role_arns must be ARNs of roles, without wildcards."
  }
}

variable "cluster_name" {
  description = "EKS cluster that the exporter runs in; its Pod Identity agent must be installed."
  type        = string
}

variable "namespace" {
  description = "Namespace of the exporter."
  type        = string
  default     = "monitoring"
}

variable "service_account" {
  description = "Service account of the exporter, as the chart names it."
  type        = string
  default     = "qbusiness-exporter"
}

variable "name" {
  description = "Name of the role."
  type        = string
  default     = "qbusiness-exporter"
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary, where the organisation wants one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of what is made."
  type        = map(string)
  default     = {}
}
