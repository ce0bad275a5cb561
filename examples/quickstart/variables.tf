variable "model" {
  description = "Which of the models in models/ to serve: v1, v2, v3a or v3b."
  type        = string
  default     = "v1"

  validation {
    condition     = contains(["v1", "v2", "v3a", "v3b"], var.model)
    error_message = "There is no such model here. Choose v1, v2, v3a or v3b."
  }
}
