variable "clients" {
  description = "Who may ask for predictions: IPv4 ranges by names of your choice."
  type        = map(string)
  nullable    = false
}

variable "domain" {
  description = "The zone that is made for the endpoints, such as models.example.com. Its name servers are an output: the certificate is issued when the parent zone names them."
  type        = string
  nullable    = false
}

variable "emails" {
  description = "Who is told of alarms, tasks that stop and changes of models: addresses by names of your choice."
  type        = map(string)
  default     = {}
  nullable    = false
}

variable "name" {
  description = "Name of the stack: 3 to 24 lower-case letters, digits and hyphens."
  type        = string
  default     = "serving"
  nullable    = false

  # The longest name made of it is that of a role: NAME-digits-execution.
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,22}[a-z0-9]$", var.name))
    error_message = "name is 3 to 24 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "prometheus_image" {
  description = "The image of Prometheus 3.13 or newer, such as a copy of quay.io/prometheus/prometheus:v3.13.5, from a repository of ECR that is there already. `uri`: with its digest. `repository_arn`: what its task may pull from."
  type = object({
    repository_arn = string
    uri            = string
  })
  nullable = false

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.prometheus_image.uri))
    error_message = "prometheus_image.uri ends in a digest, @sha256:…: a tag could move between two tasks."
  }
}

variable "protected" {
  description = "Whether what holds data is kept from a destroy: the load balancer and its access logs, the table, and the artifacts. Switch it off and apply, before a destroy."
  type        = bool
  default     = true
  nullable    = false
}

variable "region" {
  description = "The region."
  type        = string
  default     = "eu-west-1"
  nullable    = false
}

variable "server_image" {
  description = "The image of the model server, from a repository of ECR that is there already. `uri`: with its digest, REPOSITORY@sha256:DIGEST. `repository_arn`: what its tasks may pull from."
  type = object({
    repository_arn = string
    uri            = string
  })
  nullable = false

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.server_image.uri))
    error_message = "server_image.uri ends in a digest, @sha256:…: a tag could move between two tasks of one endpoint."
  }
}

variable "zones" {
  description = "Letters of two to four availability zones of the region. Append, and never reorder."
  type        = list(string)
  default     = ["a", "b"]
  nullable    = false
}
