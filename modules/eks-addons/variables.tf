variable "addons" {
  description = <<-EOT
    What is installed; null is not. Of each, `version` of its chart and `values` beyond the module's, as documents in YAML of which a later one wins. Maps of ARNs and policies have names of your choice for keys.
    `aws_load_balancer_controller`: `vpc_id`, that of the cluster. `aws_efs_csi_driver`: `file_system_arns` in which it makes access points; none means all of the account.
    `cert_manager`: `zone_arns` of Route 53 for DNS01; none is without AWS. `external_dns`: `zone_arns` whose records are its; `policy` upsert-only never deletes, sync does.
    `external_secrets`: ARNs of secrets and parameters that it reads, which may end with *, and of the keys that they are encrypted with.
    `ingress_nginx`: `scheme` internal or internet-facing; `load_balancer_class` of its service, eks.amazonaws.com/nlb with Auto Mode. It gets no more fixes since March 2026.
    `keda`: `policies` (documents in JSON) of what its scalers read. `kserve`: in Standard mode; `ingress` by `class` under `domain`, null is inside of the cluster only.
  EOT
  type = object({
    aws_efs_csi_driver = optional(object({
      file_system_arns = optional(map(string), {})
      values           = optional(list(string), [])
      version          = optional(string, "4.2.0")
    }))
    aws_load_balancer_controller = optional(object({
      values  = optional(list(string), [])
      version = optional(string, "3.6.0")
      vpc_id  = string
    }))
    cert_manager = optional(object({
      values    = optional(list(string), [])
      version   = optional(string, "v1.21.2")
      zone_arns = optional(map(string), {})
    }))
    external_dns = optional(object({
      policy    = optional(string, "upsert-only")
      values    = optional(list(string), [])
      version   = optional(string, "1.21.1")
      zone_arns = map(string)
    }))
    external_secrets = optional(object({
      kms_key_arns   = optional(map(string), {})
      parameter_arns = optional(map(string), {})
      secret_arns    = optional(map(string), {})
      values         = optional(list(string), [])
      version        = optional(string, "2.14.0")
    }))
    ingress_nginx = optional(object({
      load_balancer_class = optional(string, "service.k8s.aws/nlb")
      scheme              = optional(string, "internal")
      values              = optional(list(string), [])
      version             = optional(string, "4.15.1")
    }))
    keda = optional(object({
      policies = optional(map(string), {})
      values   = optional(list(string), [])
      version  = optional(string, "2.21.1")
    }))
    kserve = optional(object({
      ingress = optional(object({ class = string, domain = string }))
      values  = optional(list(string), [])
      version = optional(string, "v0.19.0")
    }))
    metrics_server = optional(object({
      values  = optional(list(string), [])
      version = optional(string, "3.13.1")
    }))
    nvidia_device_plugin = optional(object({
      values  = optional(list(string), [])
      version = optional(string, "0.19.3")
    }))
  })
  nullable = false

  validation {
    condition     = anytrue([for addon in values(var.addons) : addon != null])
    error_message = "addons names none. Name one, such as metrics_server = {}, or leave the module out."
  }

  validation {
    condition     = alltrue([for addon in values(var.addons) : addon == null || can(regex("^v?[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9a-z.]+)?$", addon.version))])
    error_message = "version of addons is one version of the chart, such as 3.6.0. A range would bring another version whenever its repository has one."
  }

  validation {
    condition     = alltrue(flatten([for addon in values(var.addons) : addon == null ? [] : [for document in addon.values : can(keys(yamldecode(document)))]]))
    error_message = "values of addons are documents in YAML, each a map; write them with yamlencode({ … }) or file(…)."
  }

  validation {
    condition     = var.addons.aws_load_balancer_controller == null || can(regex("^vpc-[0-9a-z]+$", var.addons.aws_load_balancer_controller.vpc_id))
    error_message = "vpc_id of addons.aws_load_balancer_controller is that of the cluster's VPC, such as vpc-0a1b2c3d4e5f60718; pods cannot ask their node for it."
  }

  validation {
    condition     = alltrue([for arn in values(try(var.addons.aws_efs_csi_driver.file_system_arns, {})) : can(regex("^arn:[a-z-]+:elasticfilesystem:[a-z0-9-]+:[0-9]{12}:file-system/fs-[0-9a-z]+$", arn))])
    error_message = "file_system_arns of addons.aws_efs_csi_driver are such as arn:aws:elasticfilesystem:REGION:ACCOUNT:file-system/fs-0a1b2c3d."
  }

  validation {
    condition = alltrue([for arn in concat(values(try(var.addons.cert_manager.zone_arns, {})), values(try(var.addons.external_dns.zone_arns, {}))) :
    can(regex("^arn:[a-z-]+:route53:::hostedzone/[0-9A-Z]+$", arn))])
    error_message = "zone_arns of addons are of hosted zones, such as arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ: without wildcards, and not the zone's id alone."
  }

  validation {
    condition     = var.addons.external_dns == null || length(try(var.addons.external_dns.zone_arns, {})) > 0
    error_message = "addons.external_dns has no zone_arns, so there is no record that it may write. Name the zones that are its, or leave it out."
  }

  validation {
    condition     = var.addons.external_dns == null || contains(["sync", "upsert-only"], try(var.addons.external_dns.policy, ""))
    error_message = "policy of addons.external_dns is upsert-only or sync."
  }

  validation {
    condition     = var.addons.external_secrets == null || length(try(var.addons.external_secrets.secret_arns, {})) + length(try(var.addons.external_secrets.parameter_arns, {})) > 0
    error_message = "addons.external_secrets has neither secret_arns nor parameter_arns, so there is nothing that it may read. Name what it reads."
  }

  validation {
    condition = alltrue([for arn in values(try(var.addons.external_secrets.secret_arns, {})) :
      can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+[*]?$", arn))]) && alltrue([for arn in values(try(var.addons.external_secrets.parameter_arns, {})) :
    can(regex("^arn:[a-z-]+:ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9/_.-]+[*]?$", arn))])
    error_message = "secret_arns and parameter_arns of addons.external_secrets are ARNs or beginnings of them, such as arn:aws:secretsmanager:REGION:ACCOUNT:secret:serving/*. All of an account is refused: pods of the whole cluster read through it."
  }

  validation {
    condition     = alltrue([for arn in values(try(var.addons.external_secrets.kms_key_arns, {})) : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", arn))])
    error_message = "kms_key_arns of addons.external_secrets are ARNs of keys (arn:aws:kms:REGION:ACCOUNT:key/ID), not aliases and not ids."
  }

  validation {
    condition     = var.addons.ingress_nginx == null || contains(["internal", "internet-facing"], try(var.addons.ingress_nginx.scheme, ""))
    error_message = "scheme of addons.ingress_nginx is internal or internet-facing."
  }

  validation {
    condition     = try(var.addons.ingress_nginx.load_balancer_class, "") != "service.k8s.aws/nlb" || var.addons.aws_load_balancer_controller != null
    error_message = "addons.ingress_nginx needs addons.aws_load_balancer_controller, which makes its load balancer. Add that, or in a cluster with Auto Mode set load_balancer_class = \"eks.amazonaws.com/nlb\"."
  }

  validation {
    condition     = alltrue([for document in values(try(var.addons.keda.policies, {})) : can(jsondecode(document).Statement)])
    error_message = "policies of addons.keda are documents of IAM in JSON, such as data.aws_iam_policy_document.NAME.json."
  }

  validation {
    condition     = var.addons.kserve == null || var.addons.cert_manager != null || contains(keys(coalesce(var.cluster.addons, {})), "cert-manager")
    error_message = "addons.kserve needs addons.cert_manager, which issues the certificates of its webhooks. Add it, or have cert-manager among the cluster's own add-ons."
  }

  validation {
    condition     = try(var.addons.kserve.ingress.class, "") != "nginx" || var.addons.ingress_nginx != null
    error_message = "ingress of addons.kserve is of the class nginx, and addons.ingress_nginx is not there. Add it, or take another class."
  }

  validation {
    condition     = try(var.addons.kserve.ingress.class, "") != "alb" || var.addons.aws_load_balancer_controller != null
    error_message = "ingress of addons.kserve is of the class alb, and addons.aws_load_balancer_controller is not there. Add it, or take another class."
  }

  validation {
    condition     = try(var.addons.kserve.ingress.domain, null) == null || can(regex("^([a-z0-9]([a-z0-9-]*[a-z0-9])?\\.)+[a-z]{2,}$", var.addons.kserve.ingress.domain))
    error_message = "domain of addons.kserve.ingress is a domain name in lower case, such as models.example.com."
  }

  validation {
    condition = var.cluster.addons == null || contains(keys(coalesce(var.cluster.addons, {})), "eks-pod-identity-agent") || (
      var.addons.aws_efs_csi_driver == null && var.addons.aws_load_balancer_controller == null && var.addons.external_dns == null && var.addons.external_secrets == null &&
      length(try(var.addons.cert_manager.zone_arns, {})) + length(try(var.addons.keda.policies, {})) == 0
    )
    error_message = "cluster.addons lacks eks-pod-identity-agent, which hands out the credentials that addons call AWS with. Add it to the addons of modules/eks."
  }

  validation {
    condition = alltrue([for ours, theirs in {
      aws_efs_csi_driver = "aws-efs-csi-driver"
      cert_manager       = "cert-manager"
      external_dns       = "external-dns"
      metrics_server     = "metrics-server"
    } : var.addons[ours] == null || !contains(keys(coalesce(var.cluster.addons, {})), theirs)])
    error_message = "One of aws-efs-csi-driver, cert-manager, external-dns and metrics-server is in cluster.addons, where EKS installs it, and in addons as well. Leave it out of one."
  }
}

variable "cluster" {
  description = "Where they are installed; modules/eks gives name and arn as cluster. The provider helm must be configured for the same one. `addons`: what EKS installs there, by name (the output addons of modules/eks), so that nothing is installed twice and the agent of Pod Identity is there; null, as with Auto Mode, is not looked at."
  type = object({
    addons = optional(map(string))
    arn    = string
    name   = string
  })
  nullable = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:eks:[a-z0-9-]+:[0-9]{12}:cluster/.+$", var.cluster.arn))
    error_message = "cluster.arn is the ARN of a cluster (arn:aws:eks:REGION:ACCOUNT:cluster/NAME)."
  }

  validation {
    condition     = try(split("/", var.cluster.arn)[1] == var.cluster.name, true)
    error_message = "cluster.arn is not that of cluster.name. Pass the output cluster of modules/eks whole."
  }
}

variable "name" {
  description = "Beginning of the names of the roles: 3 to 32 lower-case letters, digits and hyphens. A change replaces them."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name is 3 to 32 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "releases" {
  description = "How charts are installed. `timeout_seconds`: until an installation or an upgrade that is not ready is rolled back. `max_history`: revisions kept for a rollback by hand."
  type = object({
    max_history     = optional(number, 5)
    timeout_seconds = optional(number, 600)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.releases.timeout_seconds >= 60 && var.releases.timeout_seconds <= 3600
    error_message = "releases.timeout_seconds is from 60 to 3600: pods must be pulled and ready in it."
  }

  validation {
    condition     = var.releases.max_history >= 1 && floor(var.releases.max_history) == var.releases.max_history
    error_message = "releases.max_history is a whole number of 1 or more; 0 would keep every revision for ever."
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
