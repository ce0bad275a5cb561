variable "models" {
  description = "Models by name. `file`: the artifact; another one makes another version. `accuracy`: of the artifact; `min_accuracy`: what the champion must have."
  type = map(object({
    accuracy     = number
    description  = string
    file         = string
    min_accuracy = number
  }))
  nullable = false
}

variable "name" {
  description = "The environment's name, as a tag."
  type        = string
  nullable    = false
}
