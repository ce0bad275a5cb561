variable "endpoints" {
  description = "Endpoints by name. `file`: in models/. `bake`: how long each step of the canary is watched; `strategy`: of its rollout."
  type = map(object({
    accuracy    = number
    bake        = optional(string, "5m")
    description = optional(string)
    file        = string
    strategy    = optional(string, "CANARY")
  }))
  nullable = false
}

variable "registry" {
  description = "A directory that lasts, on the machine that serves."
  type        = string
  default     = "/var/lib/mlops"
  nullable    = false
}
