variable "model" {
  description = "Which of the quickstart's models to serve: v1, v2, v3a or v3b."
  type        = string
  default     = "v1"

  validation {
    condition     = contains(["v1", "v2", "v3a", "v3b"], var.model)
    error_message = "There is no such model here. Choose v1, v2, v3a or v3b."
  }
}

variable "region" {
  description = "The region of all that follows."
  type        = string
}

variable "registry" {
  description = "The registry's DynamoDB table and S3 bucket, as the module `registry` makes them."
  type = object({
    table  = string
    bucket = string
  })
}

variable "server_image" {
  description = "The image of the model server, `REPOSITORY:TAG` or `REPOSITORY@sha256:…`. `make image` builds it."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster that the tasks run in."
  type        = string
}

variable "execution_role_arn" {
  description = "The role with which ECS pulls the image and writes the log."
  type        = string
}

variable "task_role_arn" {
  description = "The role with which a task reads its model: `s3:GetObject` on the registry's bucket."
  type        = string
}

variable "subnets" {
  description = "Where the tasks run."
  type        = list(string)
}

variable "security_groups" {
  description = "Those of the tasks; the load balancer must reach port 8080 through them."
  type        = list(string)
}

variable "load_balancer_arn" {
  description = "An Application Load Balancer of the same VPC."
  type        = string
}
