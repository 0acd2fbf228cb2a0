variable "exporter_role_arn" {
  description = "ARN of the role that the exporter runs as, in its own account."
  type        = string
  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::[0-9]{12}:role/.+$", var.exporter_role_arn))
    error_message = "exporter_role_arn must be the ARN of a role: arn:aws:iam::111122223333:role/qbusiness-exporter."
  }
}

variable "external_id" {
  description = "external_id of the target in config.yaml. Choose any unique value. It protects the role against the confused deputy problem."
  type        = string
  validation {
    condition     = length(var.external_id) >= 2
    error_message = "external_id must have at least 2 characters."
  }
}

variable "regions" {
  description = "Regions in which the services are used."
  type        = list(string)
  default     = ["us-east-1"]
}

variable "name" {
  description = "Name of the role, which is the last part of role_arn in config.yaml."
  type        = string
  default     = "qbusiness-exporter"
}

variable "permissions_boundary" {
  description = "ARN of a permissions boundary, if the organisation requires one."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the role."
  type        = map(string)
  default     = {}
}
