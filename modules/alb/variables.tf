variable "access_logs" {
  description = <<-EOT
    A record of each request, in S3. null records nothing.
    `bucket`: one that admits logdelivery.elasticloadbalancing.amazonaws.com, by name; null makes a bucket whose records end after `retention_days`.
    `force_destroy`: whether a destroy takes the records of that bucket along; must be applied before.
    `prefix`: a folder, without slashes at its ends.
  EOT
  type = object({
    bucket         = optional(object({ name = string }))
    force_destroy  = optional(bool, false)
    prefix         = optional(string, "alb")
    retention_days = optional(number, 90)
  })
  default = {}

  validation {
    condition     = try(var.access_logs.retention_days >= 1 && floor(var.access_logs.retention_days) == var.access_logs.retention_days, true)
    error_message = "access_logs.retention_days is a whole number of days, 1 or more."
  }

  validation {
    condition     = try(!startswith(var.access_logs.prefix, "/") && !endswith(var.access_logs.prefix, "/") && !strcontains(var.access_logs.prefix, "AWSLogs"), true)
    error_message = "access_logs.prefix has no slash at its ends, and does not contain AWSLogs, which the load balancer appends."
  }
}

variable "clients" {
  description = "Who may connect, on the listeners and on the leased ports; keys are names of your choice. `ipv4` and `ipv6`: ranges. `security_group_ids`: groups in the VPC or a peered one. `prefix_list_ids`: such as that of CloudFront. There is no default: whom a model serves is a decision."
  type = object({
    ipv4               = optional(map(string), {})
    ipv6               = optional(map(string), {})
    prefix_list_ids    = optional(map(string), {})
    security_group_ids = optional(map(string), {})
  })
  nullable = false

  validation {
    condition     = length(var.clients.ipv4) + length(var.clients.ipv6) + length(var.clients.prefix_list_ids) + length(var.clients.security_group_ids) > 0
    error_message = "clients is empty, so nobody could connect. Name ranges, prefix lists or security groups; for everybody: { ipv4 = { everybody = \"0.0.0.0/0\" } }."
  }

  validation {
    condition     = alltrue([for range in values(var.clients.ipv4) : can(cidrnetmask(range))])
    error_message = "Each of clients.ipv4 is an IPv4 range, such as 203.0.113.0/24."
  }

  validation {
    condition     = alltrue([for range in values(var.clients.ipv6) : can(cidrhost(range, 0)) && strcontains(range, ":")])
    error_message = "Each of clients.ipv6 is an IPv6 range, such as 2001:db8::/32."
  }
}

variable "http" {
  description = "A listener in clear text. `redirect` sends its clients to `https` (301); without it the listener serves. null has none."
  type = object({
    port     = optional(number, 80)
    redirect = optional(bool, true)
  })
  default = {}

  validation {
    condition     = try(var.http.port >= 1 && var.http.port <= 65535 && floor(var.http.port) == var.http.port, true)
    error_message = "http.port is a whole number from 1 to 65535."
  }

  validation {
    condition     = try(var.https.port != var.http.port, true)
    error_message = "http and https listen on one port. Give one of them another."
  }

  validation {
    condition     = try(!var.http.redirect, true) || var.https != null
    error_message = "http redirects to https, which is null. Give https a certificate, or serve in clear text with http = { redirect = false }, or take http = null."
  }
}

variable "https" {
  description = "The listener with TLS. `certificate_arn`: a certificate of ACM in the load balancer's region, issued. `additional_certificate_arns`: chosen by the name that a client asks for; keys are names of your choice. `ssl_policy`: one with TLS 1.3. null has none."
  type = object({
    additional_certificate_arns = optional(map(string), {})
    certificate_arn             = string
    port                        = optional(number, 443)
    ssl_policy                  = optional(string, "ELBSecurityPolicy-TLS13-1-2-2021-06")
  })
  default = null

  validation {
    condition = alltrue([for arn in try(concat([var.https.certificate_arn], values(var.https.additional_certificate_arns)), []) :
    can(regex("^arn:[a-z-]+:(acm:[a-z0-9-]+:[0-9]{12}:certificate/|iam::[0-9]{12}:server-certificate/).+$", arn))])
    error_message = "Certificates of https are ARNs of ACM (arn:aws:acm:REGION:ACCOUNT:certificate/ID) or of IAM."
  }

  validation {
    condition     = try(var.https.port >= 1 && var.https.port <= 65535 && floor(var.https.port) == var.https.port, true)
    error_message = "https.port is a whole number from 1 to 65535."
  }

  validation {
    condition     = try(can(regex("^ELBSecurityPolicy-TLS13-1-[23]-", var.https.ssl_policy)), true) || var.https == null
    error_message = "https.ssl_policy is one that has TLS 1.3 and nothing older than TLS 1.2: its name begins with ELBSecurityPolicy-TLS13-1-2- or ELBSecurityPolicy-TLS13-1-3-."
  }
}

variable "leased_ports" {
  description = "Ports, both included, that are opened to the clients for listeners which others add: an mlops_endpoint with `ingress { port = 0 }` leases one of them. null opens none."
  type = object({
    from = number
    to   = number
  })
  default = null

  validation {
    condition     = try(alltrue([for port in [var.leased_ports.from, var.leased_ports.to] : port >= 1024 && port <= 65535 && floor(port) == port]), true)
    error_message = "leased_ports.from and .to are whole numbers from 1024 to 65535."
  }

  validation {
    condition     = try(var.leased_ports.from <= var.leased_ports.to, true)
    error_message = "leased_ports is reversed: from is larger than to. Exchange them."
  }

  validation {
    condition = alltrue([for port in [try(var.http.port, null), try(var.https.port, null)] :
    try(port < var.leased_ports.from || port > var.leased_ports.to, true)])
    error_message = "leased_ports contains the port of a listener of this module, which a lease could take. Choose a range without http.port and https.port."
  }
}

variable "load_balancer" {
  description = "`deletion_protection`: must be switched off, and applied, before a destroy. `idle_timeout_seconds`: 1 to 4000; longer than the slowest prediction. `ipv6`: dual stack; the subnets need IPv6 ranges. `verify_subnets`: whether the route tables of the subnets of an internet-facing load balancer are read (see the README)."
  type = object({
    deletion_protection  = optional(bool, true)
    idle_timeout_seconds = optional(number, 60)
    ipv6                 = optional(bool, false)
    verify_subnets       = optional(bool, true)
  })
  default  = {}
  nullable = false

  validation {
    condition     = var.load_balancer.idle_timeout_seconds >= 1 && var.load_balancer.idle_timeout_seconds <= 4000
    error_message = "load_balancer.idle_timeout_seconds is from 1 to 4000."
  }
}

variable "name" {
  description = "Name of the load balancer and beginning of the names of what belongs to it: 3 to 32 lower-case letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name)) && !startswith(var.name, "internal-")
    error_message = "name is 3 to 32 lower-case letters, digits and hyphens; it begins with a letter, ends with a letter or a digit, and does not begin with internal-, which AWS keeps."
  }
}

variable "network" {
  description = "Where it stands: the VPC, and a subnet in each of two or more zones; modules/vpc gives it as networks.public (internet-facing) or networks.private (internal)."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
  nullable = false

  validation {
    condition     = length(var.network.subnet_ids) >= 2
    error_message = "network.subnet_ids holds two subnets or more, in different zones: a load balancer refuses fewer."
  }

  validation {
    condition     = length(distinct(var.network.subnet_ids)) == length(var.network.subnet_ids)
    error_message = "network.subnet_ids holds a subnet twice."
  }
}

variable "scheme" {
  description = "internal: private addresses. internet-facing: public ones; the subnets must be public. A change replaces the load balancer."
  type        = string
  default     = "internal"
  nullable    = false

  validation {
    condition     = contains(["internal", "internet-facing"], var.scheme)
    error_message = "scheme is internal or internet-facing."
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

variable "targets" {
  description = "Where requests may be sent; nothing else leaves. `ipv4`: ranges, such as that of the VPC. `security_group_ids`: those of the tasks. Keys are names of your choice. `from_port`, `to_port`: 1024 to 65535 unless said, for containers whose ports are assigned."
  type = object({
    from_port          = optional(number, 1024)
    ipv4               = optional(map(string), {})
    security_group_ids = optional(map(string), {})
    to_port            = optional(number, 65535)
  })
  nullable = false

  validation {
    condition     = length(var.targets.ipv4) + length(var.targets.security_group_ids) > 0
    error_message = "targets is empty, so no request could be sent on. Name the VPC's range or the tasks' security groups."
  }

  validation {
    condition     = alltrue([for range in values(var.targets.ipv4) : can(cidrnetmask(range))])
    error_message = "Each of targets.ipv4 is an IPv4 range, such as 10.20.0.0/16."
  }

  validation {
    condition     = var.targets.from_port >= 1 && var.targets.from_port <= var.targets.to_port && var.targets.to_port <= 65535
    error_message = "targets.from_port and .to_port are from 1 to 65535, the first not larger than the second."
  }
}

variable "waf" {
  description = "A regional web ACL of WAFv2 that looks at each request. null has none."
  type = object({
    web_acl_arn = string
  })
  default = null

  validation {
    condition     = var.waf == null || can(regex("^arn:[a-z-]+:wafv2:[a-z0-9-]+:[0-9]{12}:regional/webacl/.+$", var.waf.web_acl_arn))
    error_message = "waf.web_acl_arn is the ARN of a regional web ACL (arn:aws:wafv2:REGION:ACCOUNT:regional/webacl/NAME/ID); a global one serves CloudFront."
  }
}
