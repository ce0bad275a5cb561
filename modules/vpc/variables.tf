variable "cidr" {
  description = "The IPv4 range of the VPC, from /16 to /23. Every subnet is computed from it; see the README for the scheme. A change replaces the VPC."
  type        = string
  nullable    = false

  validation {
    condition     = can(cidrnetmask(var.cidr)) && can(regex("/(1[6-9]|2[0-3])$", var.cidr))
    error_message = "cidr is an IPv4 range from /16 to /23, such as 10.20.0.0/16: with less than /23 the isolated subnets would be smaller than /28, the least that AWS accepts."
  }

  validation {
    condition     = try(cidrhost(var.cidr, 0) == split("/", var.cidr)[0], true)
    error_message = "cidr has bits set behind its prefix. Write ${try(cidrhost(var.cidr, 0), "the first address")}/${try(split("/", var.cidr)[1], "N")}."
  }
}

variable "endpoints" {
  description = <<-EOT
    Endpoints through which AWS services are reached without the internet.
    `gateway` (free): s3, dynamodb. `interface` (charged for each zone and hour; one network interface in each zone): service names as in
    com.amazonaws.REGION.NAME; the default is what an ECS task needs to start, log, read secrets and take a role; the two for ECS agents serve EC2 container instances.
    `policies`: a policy as JSON by service name; without one the endpoint admits everything, and IAM decides.
  EOT
  type = object({
    gateway   = optional(set(string), ["dynamodb", "s3"])
    interface = optional(set(string), ["ecr.api", "ecr.dkr", "ecs", "ecs-agent", "ecs-telemetry", "logs", "secretsmanager", "sts"])
    policies  = optional(map(string), {})
  })
  default  = {}
  nullable = false

  validation {
    condition     = length(setsubtract(var.endpoints.gateway, ["dynamodb", "s3"])) == 0
    error_message = "endpoints.gateway knows s3 and dynamodb only. Other services have interface endpoints."
  }

  validation {
    condition     = alltrue([for name in var.endpoints.interface : can(regex("^[a-z0-9][a-z0-9.-]*[a-z0-9]$", name)) && !startswith(name, "com.")])
    error_message = "endpoints.interface takes the last part of a service's name: ecr.api for com.amazonaws.eu-west-1.ecr.api."
  }

  validation {
    condition     = length(setintersection(var.endpoints.interface, var.endpoints.gateway)) == 0
    error_message = "A service stands both in endpoints.gateway and in endpoints.interface. Keep the gateway, which is free."
  }

  validation {
    condition     = length(var.endpoints.interface) == 0 || length(setintersection(var.tiers, ["isolated", "private"])) > 0
    error_message = "Interface endpoints stand in private or isolated subnets. Add one of them to tiers, or set endpoints.interface to []."
  }

  validation {
    condition     = length(setsubtract(keys(var.endpoints.policies), setunion(var.endpoints.gateway, var.endpoints.interface))) == 0
    error_message = "endpoints.policies names a service that has no endpoint here. Add it to endpoints.gateway or endpoints.interface."
  }

  validation {
    condition     = alltrue([for policy in values(var.endpoints.policies) : can(jsondecode(policy).Statement)])
    error_message = "Each of endpoints.policies is an IAM policy as JSON, with a Statement; data.aws_iam_policy_document writes one."
  }
}

variable "flow_logs" {
  description = <<-EOT
    Records of the traffic of all network interfaces. null records nothing.
    `traffic`: ALL, ACCEPT or REJECT. `aggregation_seconds`: 60 or 600. `bucket`: an S3 bucket that admits delivery.logs.amazonaws.com, as ARN with
    an optional folder (arn:aws:s3:::logs/vpc/); null makes a CloudWatch log group, with `logging`.
  EOT
  type = object({
    aggregation_seconds = optional(number, 600)
    bucket              = optional(object({ arn = string }))
    traffic             = optional(string, "ALL")
  })
  default = {}

  validation {
    condition     = try(contains([60, 600], var.flow_logs.aggregation_seconds), true)
    error_message = "flow_logs.aggregation_seconds is 60 or 600."
  }

  validation {
    condition     = try(contains(["ACCEPT", "ALL", "REJECT"], var.flow_logs.traffic), true)
    error_message = "flow_logs.traffic is ALL, ACCEPT or REJECT."
  }

  validation {
    condition     = try(var.flow_logs.bucket, null) == null || can(regex("^arn:[a-z-]+:s3:::[a-z0-9.-]{3,63}(/.*)?$", var.flow_logs.bucket.arn))
    error_message = "flow_logs.bucket.arn is the ARN of an S3 bucket, such as arn:aws:s3:::my-flow-logs/vpc/. For CloudWatch leave it out."
  }
}

variable "ipv6" {
  description = "Dual stack: a /56 of Amazon's for the VPC and a /64 of it for each subnet; private subnets reach out through an egress-only gateway. Can be switched on later in place."
  type        = bool
  default     = false
  nullable    = false
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
  description = "Name of the VPC, and the beginning of the names of everything in it: 3 to 32 lower-case letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name is 3 to 32 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "nat" {
  description = "How private subnets reach the internet over IPv4: none; single (one gateway in the first zone: cheap, and its zone takes the others down); per_zone. Switching moves routes in place."
  type        = string
  default     = "none"
  nullable    = false

  validation {
    condition     = contains(["none", "per_zone", "single"], var.nat)
    error_message = "nat is none, single or per_zone."
  }

  validation {
    condition     = var.nat == "none" || length(setsubtract(["private", "public"], var.tiers)) == 0
    error_message = "A NAT gateway stands in a public subnet and serves private ones. Add public and private to tiers, or set nat to none."
  }
}

# tflint-ignore: terraform_unused_declarations # Its validations compare it with cidr, and nothing is made of it
variable "reserved_cidrs" {
  description = "Ranges that the VPC must not overlap, by name: peered VPCs, offices, other environments. They are compared at plan, and nothing is made of them."
  type        = map(string)
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for range in values(var.reserved_cidrs) : can(cidrnetmask(range))])
    error_message = "Each of reserved_cidrs is an IPv4 range, such as 10.0.0.0/16."
  }

  # Two ranges overlap when they are equal up to the shorter of the two prefixes.
  validation {
    condition = alltrue([for range in values(var.reserved_cidrs) : try(
      cidrhost("${split("/", range)[0]}/${min(split("/", range)[1], split("/", var.cidr)[1])}", 0) !=
      cidrhost("${split("/", var.cidr)[0]}/${min(split("/", range)[1], split("/", var.cidr)[1])}", 0),
    true)])
    error_message = "cidr (${var.cidr}) overlaps one of reserved_cidrs (${join(", ", [for name, range in var.reserved_cidrs : "${name} ${range}"])}). Routes between them could not exist: choose another cidr."
  }
}

variable "subnet_tags" {
  description = "Tags of the subnets of each tier, besides `tags`. The defaults are those by which load balancer controllers of Kubernetes find subnets."
  type = object({
    isolated = optional(map(string), {})
    private  = optional(map(string), { "kubernetes.io/role/internal-elb" = "1" })
    public   = optional(map(string), { "kubernetes.io/role/elb" = "1" })
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for key in concat(keys(var.subnet_tags.isolated), keys(var.subnet_tags.private), keys(var.subnet_tags.public)) : !startswith(lower(key), "aws:")])
    error_message = "Keys of tags must not begin with aws:, which is reserved."
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

variable "tiers" {
  description = "Which subnets there are in each zone. public: routed to an internet gateway. private: out through NAT (see nat) or an endpoint. isolated: no route out of the VPC but gateway endpoints. A tier that is left out keeps its addresses free."
  type        = set(string)
  default     = ["isolated", "private", "public"]
  nullable    = false

  validation {
    condition     = length(var.tiers) > 0 && length(setsubtract(var.tiers, ["isolated", "private", "public"])) == 0
    error_message = "tiers holds one or more of public, private and isolated."
  }
}

variable "zones" {
  description = "Two to four availability zones of one region, such as [\"eu-west-1a\", \"eu-west-1b\"]. The place in the list decides a zone's addresses, so append, and never reorder."
  type        = list(string)
  nullable    = false

  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4
    error_message = "zones holds two to four zones. With one, the loss of a zone is the loss of the service, and load balancers refuse it."
  }

  validation {
    condition     = length(distinct(var.zones)) == length(var.zones)
    error_message = "zones holds a zone twice."
  }

  validation {
    condition     = alltrue([for zone in var.zones : can(regex("^[a-z]{2}(-[a-z]+)+-[0-9][a-z]$", zone))])
    error_message = "zones holds names of availability zones, such as eu-west-1a; not ids (euw1-az1), and not local zones, which lack most of the services."
  }

  validation {
    condition     = length(distinct([for zone in var.zones : substr(zone, 0, max(length(zone) - 1, 0))])) <= 1
    error_message = "zones are of different regions. A VPC lives in one."
  }
}
