variable "name" {
  description = "Name of the queue and of the rule."
  type        = string
  default     = "qbusiness-exporter-sync-events"
  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{3,64}$", var.name))
    error_message = "name must have 3 to 64 letters, digits, hyphens and underscores."
  }
}

variable "tags" {
  description = "Tags of all resources."
  type        = map(string)
  default     = {}
}
