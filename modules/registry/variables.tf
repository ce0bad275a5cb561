variable "access" {
  description = <<-EOT
    IAM policies that are made, by a name of your choice, to be attached to roles. `can`: read (plan, download), publish (read; register and promote models,
    push images), deploy (read; put models behind endpoints) or sweep (read; delete what retention does not keep, and remove what no version names). `models`: patterns of model names, such as risk-*. `endpoints`: patterns of endpoint ids, such as
    ecs/prod/risk-*; only where `can` is deploy.
  EOT
  type = map(object({
    can       = string
    endpoints = optional(list(string), ["*"])
    models    = optional(list(string), ["*"])
  }))
  default = {
    deployer  = { can = "deploy" }
    publisher = { can = "publish" }
    reader    = { can = "read" }
  }
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.access) : can(regex("^[a-z][a-z0-9-]{0,39}$", name))])
    error_message = "Keys of access are 1 to 40 lower-case letters, digits and hyphens, and begin with a letter."
  }

  validation {
    condition     = alltrue([for access in values(var.access) : contains(["read", "publish", "deploy", "sweep"], access.can)])
    error_message = "access.*.can is read, publish, deploy or sweep. Who does several gets several policies."
  }

  validation {
    condition     = alltrue([for access in values(var.access) : length(access.models) > 0 && alltrue([for pattern in access.models : can(regex("^[a-z0-9*][a-z0-9._*-]*$", pattern))])])
    error_message = "access.*.models holds one or more patterns of model names: lower-case letters, digits, dots, underscores and hyphens, with * for anything."
  }

  validation {
    condition     = alltrue([for access in values(var.access) : length(access.endpoints) > 0 && alltrue([for pattern in access.endpoints : can(regex("^[a-z0-9*][A-Za-z0-9._*/-]*$", pattern))])])
    error_message = "access.*.endpoints holds one or more patterns of endpoint ids, such as ecs/prod/risk-*, with * for anything."
  }
}

variable "artifacts" {
  description = <<-EOT
    The bucket of the artifacts. `prefix`: what all keys begin with, without slashes at its ends; the provider's `registry` block has the same. `noncurrent_days`: how long
    objects that were overwritten or deleted can be had back. `abandoned_upload_days`: when parts of an upload that nobody finished are removed; an upload is resumed
    within that time. `force_destroy`: whether a destroy takes the objects along; must be applied before. `object_lock`: objects can be neither overwritten nor deleted for so long; GOVERNANCE may be lifted by who has the permission, COMPLIANCE by nobody.
    Whether there is a lock cannot be changed later without replacing the bucket.
  EOT
  type = object({
    abandoned_upload_days = optional(number, 7)
    force_destroy         = optional(bool, false)
    noncurrent_days       = optional(number, 30)
    object_lock           = optional(object({ days = number, mode = optional(string, "GOVERNANCE") }))
    prefix                = optional(string, "")
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for days in [var.artifacts.abandoned_upload_days, var.artifacts.noncurrent_days, try(var.artifacts.object_lock.days, 1)] : days >= 1 && floor(days) == days])
    error_message = "artifacts.abandoned_upload_days, .noncurrent_days and .object_lock.days are whole numbers of days, 1 or more."
  }

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], try(var.artifacts.object_lock.mode, "GOVERNANCE"))
    error_message = "artifacts.object_lock.mode is GOVERNANCE or COMPLIANCE."
  }

  validation {
    condition     = can(regex("^([A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]|[A-Za-z0-9]?)$", var.artifacts.prefix)) && !strcontains(var.artifacts.prefix, "//")
    error_message = "artifacts.prefix has letters, digits, dots, underscores, hyphens and single slashes between them, and no slash at its ends."
  }
}

variable "image_replication" {
  description = "Regions that images of `repositories` are copied to. This is one setting of the whole account and region: leave it null where something else manages it."
  type = object({
    regions = set(string)
  })
  default = null

  validation {
    condition     = try(length(var.image_replication.regions) >= 1 && length(var.image_replication.regions) <= 25, true)
    error_message = "image_replication.regions holds 1 to 25 regions."
  }

  validation {
    condition     = var.image_replication == null || length(var.repositories) > 0
    error_message = "image_replication has no images: repositories is empty. Name repositories, or take image_replication = null."
  }
}

variable "kms_key" {
  description = "The KMS key of table, bucket and images; its policy has to admit who uses them. null makes one that this account's IAM policies give access to."
  type = object({
    arn = string
  })
  default = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key.arn))
    error_message = "kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not of an alias."
  }
}

variable "name" {
  description = "Name of the table, and beginning of the names of what belongs to it: 3 to 34 lower-case letters, digits and hyphens. The bucket is called NAME-ACCOUNT-REGION."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,32}[a-z0-9]$", var.name))
    error_message = "name is 3 to 34 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "replicas" {
  description = "Other regions that the registry is read in, by region: a replica of the table and of the bucket. `kms_key_arn`: a key in that region, which encrypts both. Writers stay in the home region; the provider refuses them elsewhere."
  type = map(object({
    kms_key_arn = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for region in keys(var.replicas) : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", region))])
    error_message = "Keys of replicas are regions, such as eu-central-1."
  }

  validation {
    condition     = alltrue([for region, replica in var.replicas : can(regex("^arn:[a-z-]+:kms:${region}:[0-9]{12}:key/.+$", replica.kms_key_arn))])
    error_message = "Each replica has the ARN of a key in its own region: replicas = { eu-central-1 = { kms_key_arn = \"arn:aws:kms:eu-central-1:ACCOUNT:key/ID\" } }."
  }
}

variable "repositories" {
  description = "ECR repositories for images of model servers, by name. Tags cannot be moved, and images are scanned when they are pushed. `keep_images`: the newest that are kept; `untagged_days`: when an image without a tag is removed."
  type = map(object({
    keep_images   = optional(number, 100)
    untagged_days = optional(number, 14)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.repositories) : length(name) >= 2 && length(name) <= 256 && can(regex("^[a-z0-9]+([._/-][a-z0-9]+)*$", name))])
    error_message = "Keys of repositories are names of 2 to 256 lower-case letters and digits, with single dots, underscores, hyphens or slashes between them."
  }

  validation {
    condition     = alltrue([for repository in values(var.repositories) : alltrue([for number in [repository.keep_images, repository.untagged_days] : number >= 1 && floor(number) == number])])
    error_message = "repositories.*.keep_images and .untagged_days are whole numbers, 1 or more."
  }
}

variable "table" {
  description = "The table of the records. `deletion_protection`: must be switched off, and applied, before a destroy. `recovery_days`: how far back the table can be restored to any second; 1 to 35."
  type = object({
    deletion_protection = optional(bool, true)
    recovery_days       = optional(number, 35)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.table.recovery_days >= 1 && var.table.recovery_days <= 35 && floor(var.table.recovery_days) == var.table.recovery_days
    error_message = "table.recovery_days is a whole number from 1 to 35."
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
