variable "certificate" {
  description = <<-EOT
    A certificate of ACM in the provider's region. null requests none. `domain_name`, `alternative_names`: what it is for; *.models.example.com is possible.
    `validation`: zone puts the records that prove ownership into this module's zone, and waits until the certificate is issued; foreign waits for
    nothing and gives the records as the output certificate_validation_records, for whoever runs the DNS.
  EOT
  type = object({
    alternative_names = optional(set(string), [])
    domain_name       = string
    key_algorithm     = optional(string, "EC_prime256v1")
    validation        = optional(string, "zone")
  })
  default = null

  validation {
    condition = alltrue([for name in try(concat([var.certificate.domain_name], tolist(var.certificate.alternative_names)), []) :
    can(regex("^(\\*\\.)?([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", name))])
    error_message = "certificate.domain_name and .alternative_names are names in lower case without a dot at the end, such as models.example.com or *.models.example.com."
  }

  validation {
    condition     = try(length(var.certificate.domain_name) <= 64, true)
    error_message = "certificate.domain_name has at most 64 characters. Take a shorter one there, and the longer among alternative_names."
  }

  validation {
    condition     = try(contains(["foreign", "zone"], var.certificate.validation), true)
    error_message = "certificate.validation is zone or foreign."
  }

  validation {
    condition     = try(contains(["EC_prime256v1", "EC_secp384r1", "RSA_2048"], var.certificate.key_algorithm), true)
    error_message = "certificate.key_algorithm is EC_prime256v1, EC_secp384r1 or RSA_2048, which load balancers take."
  }

  validation {
    condition     = try(var.certificate.validation != "zone", true) || var.certificate == null || var.zone != null
    error_message = "certificate.validation is zone, and there is no zone. Give zone, or set validation = \"foreign\" and hand the output certificate_validation_records to whoever runs the DNS."
  }

  validation {
    condition = try(var.certificate.validation, "") != "zone" || alltrue([for name in try(concat([var.certificate.domain_name], tolist(var.certificate.alternative_names)), []) :
    try(name == var.zone.name || endswith(name, ".${var.zone.name}"), true)])
    error_message = "A name of the certificate lies outside of the zone ${try(var.zone.name, "")}, so that its proof cannot stand there. Leave it out, or set validation = \"foreign\"."
  }

  validation {
    condition     = try(var.certificate.validation, "") != "zone" || try(length(var.zone.private_vpc_ids), 0) == 0
    error_message = "ACM cannot see a private zone. Set certificate.validation = \"foreign\", and put the records into a public zone."
  }
}

variable "health_checks" {
  description = <<-EOT
    Checks from the internet, by name; records take them as health_check. `fqdn`, `port`, `path`: what is asked (HTTPS unless `type` says HTTP or TCP).
    `failure_threshold`: how many answers in a row, 1 to 10. `interval_seconds`: 10 or 30. `search`: text that the first 5,120 bytes of the answer must contain.
  EOT
  type = map(object({
    failure_threshold = optional(number, 3)
    fqdn              = string
    interval_seconds  = optional(number, 30)
    path              = optional(string, "/healthz")
    port              = optional(number, 443)
    search            = optional(string)
    type              = optional(string, "HTTPS")
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for check in values(var.health_checks) : contains(["HTTP", "HTTPS", "TCP"], check.type)])
    error_message = "health_checks.type is HTTP, HTTPS or TCP."
  }

  validation {
    condition     = alltrue([for check in values(var.health_checks) : contains([10, 30], check.interval_seconds)])
    error_message = "health_checks.interval_seconds is 10 or 30."
  }

  validation {
    condition     = alltrue([for check in values(var.health_checks) : check.failure_threshold >= 1 && check.failure_threshold <= 10])
    error_message = "health_checks.failure_threshold is from 1 to 10."
  }

  validation {
    condition     = alltrue([for check in values(var.health_checks) : check.port >= 1 && check.port <= 65535])
    error_message = "health_checks.port is from 1 to 65535."
  }

  validation {
    condition     = alltrue([for check in values(var.health_checks) : startswith(check.path, "/")])
    error_message = "health_checks.path begins with a slash."
  }

  validation {
    condition     = alltrue([for check in values(var.health_checks) : check.search == null || check.type != "TCP"])
    error_message = "A TCP check reads no answer, so it has no search. Take HTTP or HTTPS."
  }
}

variable "records" {
  description = <<-EOT
    Records by a key of your choice. `name`: within the zone, "" for its top. `alias`: a load balancer's dns_name and zone_id (A, and AAAA with `ipv6`), or `values` with `ttl_seconds`.
    `routing`: one of failover (PRIMARY or SECONDARY), latency_region or weight (0 to 255), the same kind in all records of one name and type; the key tells them apart.
    `health_check`: a key of health_checks; a failing one takes the record out of the answers.
  EOT
  type = map(object({
    alias = optional(object({
      dns_name               = string
      evaluate_target_health = optional(bool, true)
      ipv6                   = optional(bool, false)
      zone_id                = string
    }))
    health_check = optional(string)
    name         = string
    routing = optional(object({
      failover       = optional(string)
      latency_region = optional(string)
      weight         = optional(number)
    }))
    ttl_seconds = optional(number, 300)
    type        = optional(string, "A")
    values      = optional(list(string))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = length(var.records) == 0 || var.zone != null
    error_message = "There are records and no zone to put them into. Give zone."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : (record.alias == null) != (record.values == null)])
    error_message = "A record has either alias or values."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : contains(["A", "AAAA", "CAA", "CNAME", "MX", "NS", "SRV", "TXT"], record.type) && (record.alias == null || record.type == "A")])
    error_message = "records.type is A, AAAA, CAA, CNAME, MX, NS, SRV or TXT; with an alias it is A (alias.ipv6 adds AAAA)."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : !(record.type == "CNAME" && record.name == "")])
    error_message = "The top of a zone cannot be a CNAME. Take an alias."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : record.ttl_seconds >= 0 && record.ttl_seconds <= 604800])
    error_message = "records.ttl_seconds is from 0 to 604800 (a week)."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : !endswith(record.name, ".") && try(!endswith(record.name, var.zone.name), true)])
    error_message = "records.name stands within the zone: models for models.example.com, \"\" for the zone's own name."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : record.health_check == null || contains(keys(var.health_checks), coalesce(record.health_check, "-"))])
    error_message = "records.health_check names a check that health_checks does not have."
  }

  validation {
    condition = alltrue([for record in values(var.records) : record.routing == null ? true :
    length([for kind in [record.routing.failover, record.routing.latency_region, tostring(record.routing.weight)] : kind if kind != null]) == 1])
    error_message = "records.routing has exactly one of failover, latency_region and weight."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : try(contains(["PRIMARY", "SECONDARY"], record.routing.failover), true) || try(record.routing.failover, null) == null])
    error_message = "records.routing.failover is PRIMARY or SECONDARY."
  }

  validation {
    condition     = alltrue([for record in values(var.records) : try(record.routing.weight >= 0 && record.routing.weight <= 255, true)])
    error_message = "records.routing.weight is from 0 to 255."
  }

  validation {
    condition = alltrue([for record in values(var.records) : try(record.routing.failover, null) != "PRIMARY" ||
    record.health_check != null || try(record.alias.evaluate_target_health, false)])
    error_message = "A PRIMARY record without a health check never fails over. Give it health_check, or an alias that evaluates its target's health."
  }

  # A name and type has one simple record, or several of one kind of routing.
  validation {
    condition = alltrue([for members in values({ for record in values(var.records) : "${record.name} ${record.type}" =>
      (record.routing == null ? "simple" : record.routing.failover != null ? "failover ${record.routing.failover}" : record.routing.latency_region != null ? "latency ${record.routing.latency_region}" : "weight")...
      }) : length(members) == 1 || (
      !contains(members, "simple") &&
      length(distinct([for member in members : split(" ", member)[0]])) == 1 &&
      (members[0] == "weight" || length(distinct(members)) == length(members))
    )])
    error_message = "Two records of one name and type exclude each other: several need one kind of routing, with failover or latency_region different in each."
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

variable "zone" {
  description = "The zone of the records. `name`: such as models.example.com. `existing`: its id, if it is there already; without it the zone is made, and its name servers are an output. `private_vpc_ids`: VPCs that see it, by names of your choice; none makes it public. null: only a certificate for foreign DNS."
  type = object({
    existing        = optional(object({ id = string }))
    name            = string
    private_vpc_ids = optional(map(string), {})
  })
  default = null

  validation {
    condition     = var.zone == null || can(regex("^([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9])?\\.)+[a-z]{2,63}$", var.zone.name))
    error_message = "zone.name is a domain in lower case without a dot at the end, such as models.example.com."
  }

  validation {
    condition     = try(var.zone.existing == null || length(var.zone.private_vpc_ids) == 0, true)
    error_message = "zone.private_vpc_ids is for a zone that is made here. Associate an existing one where it is managed."
  }
}
