variable "cluster" {
  description = "`container_insights`: enhanced (metrics of tasks and containers), enabled (of services), or disabled. `fargate`: which of FARGATE and FARGATE_SPOT services may take."
  type = object({
    container_insights = optional(string, "enhanced")
    fargate            = optional(set(string), ["FARGATE", "FARGATE_SPOT"])
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains(["enhanced", "enabled", "disabled"], var.cluster.container_insights)
    error_message = "cluster.container_insights is enhanced, enabled or disabled."
  }

  validation {
    condition     = length(setsubtract(var.cluster.fargate, ["FARGATE", "FARGATE_SPOT"])) == 0
    error_message = "cluster.fargate holds FARGATE and FARGATE_SPOT, or one of them, or nothing."
  }
}

variable "default_strategy" {
  description = "Where tasks run whose service says nothing: keys are FARGATE and FARGATE_SPOT. `base`: so many tasks first, in one of them at most; `weight`: its share of the rest. Empty: each service says it itself."
  type = map(object({
    base   = optional(number, 0)
    weight = optional(number, 1)
  }))
  default  = { FARGATE = {} }
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.default_strategy), var.cluster.fargate)) == 0
    error_message = "A key of default_strategy is no capacity of this cluster: it is one of cluster.fargate."
  }

  validation {
    condition     = alltrue([for share in values(var.default_strategy) : share.base >= 0 && share.base <= 100000 && floor(share.base) == share.base && share.weight >= 0 && share.weight <= 1000 && floor(share.weight) == share.weight])
    error_message = "default_strategy.*.base is a whole number from 0 to 100000, and .weight one from 0 to 1000."
  }

  validation {
    condition     = length([for share in values(var.default_strategy) : share if share.base > 0]) <= 1
    error_message = "Only one of default_strategy has a base: ECS refuses a second one."
  }

  validation {
    condition     = length(var.default_strategy) == 0 || anytrue([for share in values(var.default_strategy) : share.weight > 0])
    error_message = "Every weight of default_strategy is 0, so that no task beyond the base could be placed. Give one of them a weight."
  }
}

variable "exec" {
  description = "Sessions in running tasks (ECS Exec), recorded in a log group. `kms_key`: a customer's key that sessions are encrypted with on top of TLS; who opens one needs kms:GenerateDataKey for it. null: the servers' roles admit no session."
  type = object({
    kms_key = optional(object({ arn = string }))
  })
  default = {}

  validation {
    condition     = try(var.exec.kms_key, null) == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.exec.kms_key.arn))
    error_message = "exec.kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }
}

variable "logging" {
  description = "Log groups made by this module. `retention_days`: how long CloudWatch keeps records. `kms_key_arn`: a key whose policy admits logs.REGION.amazonaws.com; null leaves encryption to CloudWatch's own key."
  type = object({
    kms_key_arn    = optional(string)
    retention_days = optional(number, 365)
  })
  default  = {}
  nullable = false

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.logging.retention_days)
    error_message = "logging.retention_days is one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }

  validation {
    condition     = var.logging.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.logging.kms_key_arn))
    error_message = "logging.kms_key_arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }
}

variable "name" {
  description = "Name of the cluster and beginning of the names of what belongs to it: 3 to 32 lower-case letters, digits and hyphens. A change replaces the cluster."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name is 3 to 32 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "registry" {
  description = "The registry that the servers read models from: modules/registry gives it as registry. `region`: where its table and its key are; null means here. It is in the servers' account. null: the servers read none."
  type = object({
    bucket      = string
    kms_key_arn = string
    prefix      = optional(string, "")
    region      = optional(string)
    table       = string
  })
  default = null

  validation {
    condition     = var.registry == null || can(regex("^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$", var.registry.bucket))
    error_message = "registry.bucket is the name of a bucket, not its ARN."
  }

  validation {
    condition     = var.registry == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.registry.table))
    error_message = "registry.table is the name of a table, not its ARN."
  }

  validation {
    condition     = var.registry == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.registry.kms_key_arn))
    error_message = "registry.kms_key_arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }

  validation {
    condition     = try(!startswith(var.registry.prefix, "/") && !endswith(var.registry.prefix, "/"), true)
    error_message = "registry.prefix has no slash at its ends; it is the same as in the provider's registry block."
  }

  validation {
    condition     = try(var.registry.region, null) == null || can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.registry.region))
    error_message = "registry.region is a region, such as eu-west-1, or null."
  }
}

variable "servers" {
  description = <<-EOT
    Model servers, each with an execution role, a task role and a log group; keys are names of your choice, such as those of teams. `models`: patterns of models that it reads, such as risk-*;
    null means all. `repository_arns`: of ECR, that its images come from. `secret_arns` (Secrets Manager) and `parameter_arns` (Parameter Store): what its task definition takes values from;
    `secret_kms_key_arns`: customer's keys that those are encrypted with. Keys of these maps are names of your choice.
  EOT
  type = map(object({
    models              = optional(list(string))
    parameter_arns      = optional(map(string), {})
    repository_arns     = optional(map(string), {})
    secret_arns         = optional(map(string), {})
    secret_kms_key_arns = optional(map(string), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.servers) : can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", name))])
    error_message = "Keys of servers are 1 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }

  validation {
    condition     = alltrue([for server in values(var.servers) : server.models == null]) || var.registry != null
    error_message = "servers.*.models needs a registry to read from. Give registry, or leave models out."
  }

  validation {
    condition     = alltrue([for server in values(var.servers) : server.models == null || try(length(server.models) > 0 && alltrue([for pattern in server.models : can(regex("^[a-z0-9*][a-z0-9._*-]*$", pattern))]), false)])
    error_message = "servers.*.models holds one or more patterns of model names: lower-case letters, digits, dots, underscores and hyphens, with * for anything."
  }

  validation {
    condition     = alltrue(flatten([for server in values(var.servers) : [for arn in values(server.repository_arns) : can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+$", arn))]]))
    error_message = "Each of servers.*.repository_arns is the ARN of one repository of ECR (arn:aws:ecr:REGION:ACCOUNT:repository/NAME), not its URL and not a pattern."
  }

  validation {
    condition     = alltrue(flatten([for server in values(var.servers) : [for arn in values(server.secret_arns) : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+$", arn))]]))
    error_message = "Each of servers.*.secret_arns is the ARN of one secret of Secrets Manager (arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX), not its name, not its value, without a key of its JSON, and not a pattern."
  }

  validation {
    condition     = alltrue(flatten([for server in values(var.servers) : [for arn in values(server.parameter_arns) : can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9_./-]+$", arn))]]))
    error_message = "Each of servers.*.parameter_arns is the ARN of one parameter (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME), not a pattern."
  }

  validation {
    condition     = alltrue(flatten([for server in values(var.servers) : [for arn in values(server.secret_kms_key_arns) : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))]]))
    error_message = "Each of servers.*.secret_kms_key_arns is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }

  validation {
    condition     = alltrue([for server in values(var.servers) : length(server.secret_kms_key_arns) == 0 || length(server.secret_arns) + length(server.parameter_arns) > 0])
    error_message = "servers.*.secret_kms_key_arns decrypts nothing: name the secrets in secret_arns or parameter_arns, or leave it out."
  }
}

variable "tags" {
  description = "Tags of everything that this module makes. Up to 40; keys that begin with aws: are reserved."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = length(var.tags) <= 40 && alltrue([for key in keys(var.tags) : !startswith(lower(key), "aws:") && length(key) <= 128])
    error_message = "tags has at most 40 entries, whose keys have at most 128 characters and do not begin with aws:."
  }
}
