variable "alarms" {
  description = "Topics that CloudWatch's alarms go to, both when they begin and when they end; keys are names of your choice (modules/notifications gives topics). None leaves them to be looked at."
  type        = object({ topic_arns = optional(map(string), {}) })
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for arn in values(var.alarms.topic_arns) : can(regex("^arn:[a-z-]+:sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]+$", arn))])
    error_message = "Each of alarms.topic_arns is the ARN of a topic of SNS (arn:aws:sns:REGION:ACCOUNT:NAME); alarms take no topics that end in .fifo."
  }

  validation {
    condition     = length(var.alarms.topic_arns) <= 5
    error_message = "alarms.topic_arns holds at most 5 topics, as an alarm does."
  }
}

variable "alertmanager" {
  description = "The alert manager of Amazon Managed Prometheus: modules/notifications gives it as alertmanager. null leaves it as it is."
  type        = object({ definition = string })
  default     = null

  validation {
    condition     = var.alertmanager == null || var.prometheus != null
    error_message = "alertmanager is of Amazon Managed Prometheus, and prometheus is null. Give the Alertmanager of a cluster its configuration there."
  }

  validation {
    condition     = var.alertmanager == null || can(yamldecode(yamldecode(var.alertmanager.definition).alertmanager_config).route)
    error_message = "alertmanager.definition is YAML whose alertmanager_config holds the configuration, as text, with a route."
  }
}

variable "auto_scaling_groups" {
  description = <<-EOT
    Auto Scaling groups with alarms and a place on the dashboard; keys are names of your choice. `name`: modules/ecs gives it in instances. `missing_minutes`: fewer instances in service than
    desired for so long; `largest_minutes`: as large as it may become for so long, so that it cannot grow. Both are multiples of 5, need metrics of the group, and 0 has no such alarm.
  EOT
  type = map(object({
    largest_minutes = optional(number, 30)
    missing_minutes = optional(number, 15)
    name            = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for group in values(var.auto_scaling_groups) : !startswith(group.name, "arn:") && length(group.name) > 0])
    error_message = "name of auto_scaling_groups is the group's name, which metrics have; not its ARN."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.auto_scaling_groups) : [for minutes in [group.largest_minutes, group.missing_minutes] : minutes >= 0 && minutes <= 1440 && minutes % 5 == 0]]))
    error_message = "largest_minutes and missing_minutes of auto_scaling_groups are multiples of 5, up to 1440, or 0 for no alarm."
  }

  validation {
    condition     = alltrue([for name in keys(var.auto_scaling_groups) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "Keys of auto_scaling_groups are up to 31 lower-case letters, digits and hyphens."
  }
}

variable "endpoints" {
  description = <<-EOT
    Objectives of endpoints, by the name of the endpoint. `availability_percent`: of the requests that are not refused, how many are not answered with 5xx, over 30 days.
    `latency`: how many `percent` of them are answered within `seconds`, which is a bound of the model server's histogram; null has no such objective.
    The rest are alerts, and 0 has none. `drift`: a feature or a prediction whose population stability index is above `psi` over a `window` (1h, 6h, 12h, 1d, 3d or 7d) of `rows` or more; only of versions with a reference.
    `in_flight`: more requests than this at once in one server. `no_traffic_seconds`: none for so long.
    `refused_percent`: more than this refused. `rollout_seconds`: two versions of a variant side by side for longer.
  EOT
  type = map(object({
    availability_percent = optional(number, 99.9)
    drift = optional(object({
      psi    = optional(number, 0.2)
      rows   = optional(number, 1000)
      window = optional(string, "1d")
    }), {})
    in_flight = optional(number, 0)
    latency = optional(object({
      percent = optional(number, 99)
      seconds = number
    }))
    no_traffic_seconds = optional(number, 900)
    refused_percent    = optional(number, 5)
    rollout_seconds    = optional(number, 7200)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.endpoints) : can(regex("^[A-Za-z0-9_-]{1,32}$", name))])
    error_message = "Keys of endpoints are names of endpoints: 1 to 32 letters, digits, hyphens and underscores."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : endpoint.availability_percent >= 90 && endpoint.availability_percent < 100])
    error_message = "availability_percent of endpoints is from 90 to below 100: 100 leaves no budget to burn, and below 90 the alerts could never fire."
  }

  validation {
    condition = alltrue([for endpoint in values(var.endpoints) : endpoint.latency == null || try(
      contains([0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10], endpoint.latency.seconds), false
    )])
    error_message = "latency.seconds of endpoints is a bound that the model server counts by: 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5 or 10. Between them nothing is known."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : endpoint.latency == null || try(endpoint.latency.percent >= 90 && endpoint.latency.percent < 100, false)])
    error_message = "latency.percent of endpoints is from 90 to below 100."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : endpoint.refused_percent >= 0 && endpoint.refused_percent < 100])
    error_message = "refused_percent of endpoints is above 0 and below 100, or 0 for no alert."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : endpoint.drift.psi >= 0 && endpoint.drift.psi <= 5])
    error_message = "drift.psi of endpoints is above 0 and up to 5, or 0 for no alert. By convention 0.1 is some change, and 0.25 a significant one."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : endpoint.drift.rows >= 100 && floor(endpoint.drift.rows) == endpoint.drift.rows])
    error_message = "drift.rows of endpoints is a whole number, 100 or more: of fewer rows the index is high by chance."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : contains(["1h", "6h", "12h", "1d", "3d", "7d"], endpoint.drift.window)])
    error_message = "drift.window of endpoints is 1h, 6h, 12h, 1d, 3d or 7d."
  }

  validation {
    condition     = alltrue([for endpoint in values(var.endpoints) : endpoint.in_flight >= 0])
    error_message = "in_flight of endpoints is above 0, or 0 for no alert."
  }

  validation {
    condition     = alltrue(flatten([for endpoint in values(var.endpoints) : [for seconds in [endpoint.no_traffic_seconds, endpoint.rollout_seconds] : seconds == 0 || seconds >= 300 && floor(seconds) == seconds]]))
    error_message = "no_traffic_seconds and rollout_seconds of endpoints are whole seconds, 300 or more, or 0 for no alert."
  }
}

variable "grafana" {
  description = <<-EOT
    `dashboards`: dashboards of your own, built as those of this module are; keys are names of your choice. A panel has a `title`, a `unit` as Grafana names it, and `queries`: PromQL by legend.
    `workspace`: Amazon Managed Grafana; null has none. `authentication`: AWS_SSO, SAML or both. `groups`: ids of groups of IAM Identity Center by role (ADMIN, EDITOR, VIEWER).
    `reachable_from`: only from these prefix lists and VPC endpoints; null means from anywhere, for those who sign in. `version`: of Grafana.
  EOT
  type = object({
    dashboards = optional(map(object({
      panels = list(object({
        queries = map(string)
        title   = string
        unit    = optional(string, "short")
      }))
    })), {})
    workspace = optional(object({
      authentication = optional(list(string), ["AWS_SSO"])
      groups         = optional(map(list(string)), {})
      reachable_from = optional(object({
        prefix_list_ids  = optional(list(string), [])
        vpc_endpoint_ids = optional(list(string), [])
      }))
      version = optional(string, "10.4")
    }))
  })
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.grafana.dashboards) : can(regex("^[a-z][a-z0-9-]{0,30}$", name)) && !contains(["cost", "endpoint", "fleet", "rollout"], name)])
    error_message = "Keys of grafana.dashboards are up to 31 lower-case letters, digits and hyphens; cost, endpoint, fleet and rollout are this module's own."
  }

  validation {
    condition     = alltrue([for dashboard in values(var.grafana.dashboards) : length(dashboard.panels) > 0 && length(distinct(dashboard.panels[*].title)) == length(dashboard.panels)])
    error_message = "Each of grafana.dashboards has one panel or more, and titles of its panels differ."
  }

  validation {
    condition     = alltrue(flatten([for dashboard in values(var.grafana.dashboards) : [for panel in dashboard.panels : length(panel.queries) > 0 && length(panel.queries) <= 26 && alltrue([for query in values(panel.queries) : length(trimspace(query)) > 0])]]))
    error_message = "Each panel of grafana.dashboards has 1 to 26 queries, none of them empty."
  }

  # As much of PromQL's syntax as can be told here: what is in quotes is left out, and what is opened is closed.
  validation {
    condition = alltrue(flatten([for dashboard in values(var.grafana.dashboards) : [for panel in dashboard.panels : [
      for query in [for query in values(panel.queries) : replace(query, "/\"([^\"\\\\]|\\\\.)*\"|'([^'\\\\]|\\\\.)*'|`[^`]*`/", "")] : !can(regex("[\"'`]", query)) && alltrue([
      for pair in [["\\(", "\\)"], ["\\[", "\\]"], ["{", "}"]] : length(regexall(pair[0], query)) == length(regexall(pair[1], query))])
    ]]]))
    error_message = "A query of grafana.dashboards is no PromQL: it opens a bracket or a quote that it does not close, or closes one that it did not open. Promtool says where: promtool promql format."
  }

  validation {
    condition     = var.grafana.workspace == null || try(length(var.grafana.workspace.authentication) > 0 && length(setsubtract(var.grafana.workspace.authentication, ["AWS_SSO", "SAML"])) == 0, false)
    error_message = "grafana.workspace.authentication holds AWS_SSO, SAML or both."
  }

  validation {
    condition     = var.grafana.workspace == null || try(length(setsubtract(keys(var.grafana.workspace.groups), ["ADMIN", "EDITOR", "VIEWER"])) == 0 && alltrue([for groups in values(var.grafana.workspace.groups) : length(groups) > 0]), false)
    error_message = "Keys of grafana.workspace.groups are ADMIN, EDITOR and VIEWER, each with one id of a group or more."
  }

  validation {
    condition     = try(length(var.grafana.workspace.groups) == 0 || contains(var.grafana.workspace.authentication, "AWS_SSO"), var.grafana.workspace == null)
    error_message = "grafana.workspace.groups are those of IAM Identity Center, which needs AWS_SSO among authentication. With SAML alone, the identity provider says who has which role."
  }

  validation {
    condition     = try(var.grafana.workspace.reachable_from, null) == null || try(length(var.grafana.workspace.reachable_from.prefix_list_ids) + length(var.grafana.workspace.reachable_from.vpc_endpoint_ids) > 0 && length(var.grafana.workspace.reachable_from.prefix_list_ids) <= 5 && length(var.grafana.workspace.reachable_from.vpc_endpoint_ids) <= 5, false)
    error_message = "grafana.workspace.reachable_from names a prefix list or a VPC endpoint, and at most 5 of each. null admits every network."
  }

  validation {
    condition     = var.grafana.workspace == null || can(regex("^[0-9]+\\.[0-9]+$", var.grafana.workspace.version))
    error_message = "grafana.workspace.version is a version of Grafana as AWS names it, such as 10.4."
  }
}

variable "load_balancers" {
  description = <<-EOT
    Load balancers with alarms and a place on the dashboard; keys are names of your choice. `arn_suffix`: modules/alb gives it in load_balancer. `error_percent`: answers with 5xx, its own and the
    targets', over 5 minutes. `latency_seconds`: 99th percentile of the targets. `target_groups`: those in which no target may be unhealthy, by their ARN suffix; keys are names of your choice.
  EOT
  type = map(object({
    arn_suffix      = string
    error_percent   = optional(number, 1)
    latency_seconds = optional(number, 1)
    target_groups   = optional(map(string), {})
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name, balancer in var.load_balancers : can(regex("^app/[A-Za-z0-9-]+/[0-9a-f]+$", balancer.arn_suffix))])
    error_message = "arn_suffix of load_balancers is the end of an application load balancer's ARN: app/NAME/ID."
  }

  validation {
    condition     = alltrue(flatten([for balancer in values(var.load_balancers) : [for suffix in values(balancer.target_groups) : can(regex("^targetgroup/[A-Za-z0-9-]+/[0-9a-f]+$", suffix))]]))
    error_message = "Each of target_groups of load_balancers is the end of a target group's ARN: targetgroup/NAME/ID."
  }

  validation {
    condition     = alltrue([for balancer in values(var.load_balancers) : balancer.error_percent > 0 && balancer.error_percent < 100 && balancer.latency_seconds > 0])
    error_message = "error_percent of load_balancers is above 0 and below 100, and latency_seconds above 0."
  }

  validation {
    condition     = alltrue([for name in keys(var.load_balancers) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "Keys of load_balancers are up to 31 lower-case letters, digits and hyphens."
  }
}

variable "log_groups" {
  description = "Log groups to make, by their names, such as /ecs/fraud. `retention_days`: how long records are kept; null takes that of logging."
  type        = map(object({ retention_days = optional(number) }))
  default     = {}
  nullable    = false

  validation {
    condition     = alltrue([for name in keys(var.log_groups) : can(regex("^[a-zA-Z0-9_/.#-]{1,512}$", name)) && !startswith(name, "aws/")])
    error_message = "Keys of log_groups are names of log groups: letters, digits and _ / . # -, up to 512, and not beginning with aws/."
  }

  validation {
    condition     = alltrue([for group in values(var.log_groups) : group.retention_days == null || try(contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], group.retention_days), false)])
    error_message = "retention_days of log_groups is one of CloudWatch's: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
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
  description = "Beginning of the names of everything that this module makes: 3 to 32 lower-case letters, digits and hyphens."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}[a-z0-9]$", var.name))
    error_message = "name is 3 to 32 lower-case letters, digits and hyphens; it begins with a letter and ends with a letter or a digit."
  }
}

variable "prometheus" {
  description = <<-EOT
    Amazon Managed Prometheus, which evaluates the rules. `workspace`: one that is there, by its id; null makes one. `retention_days`: of samples, 1 to 1095, in one that is made.
    `kms_key`: a customer's key for one that is made; null leaves encryption to AWS. `collectors`: containers beside model servers in tasks of ECS, which scrape them into the workspace, as outputs;
    keys are names of servers. `log_group`: where they write their log to; modules/ecs gives it in servers. `port`: the model server's. `image`: an AWS Distro for OpenTelemetry of one version.
    `scrapers`: services of ECS, one for a cluster, in which Prometheus finds the tasks of endpoints (mlops_endpoint) and scrapes them into the workspace; keys are names of your choice. `cluster`: modules/ecs
    gives it; `network`: where it stands, modules/vpc gives it; `targets`: IPv4 ranges in which endpoints stand, by names of your choice; `port`: of the model servers; `image`: Prometheus 3.13 or newer;
    `repository`: of ECR, that the image comes from; null for any other. null has no workspace: rules and dashboards are outputs, for kube-prometheus-stack.
  EOT
  type = object({
    collectors = optional(map(object({
      image            = optional(string, "public.ecr.aws/aws-observability/aws-otel-collector:v0.43.3")
      interval_seconds = optional(number, 15)
      log_group        = string
      memory_mib       = optional(number, 256)
      port             = optional(number, 8080)
    })), {})
    kms_key        = optional(object({ arn = string }))
    retention_days = optional(number, 150)
    scrapers = optional(map(object({
      cluster          = object({ arn = string })
      image            = optional(string, "quay.io/prometheus/prometheus:v3.13.5")
      interval_seconds = optional(number, 15)
      memory_mib       = optional(number, 512)
      network          = object({ subnet_ids = list(string), vpc_id = string })
      port             = optional(number, 8080)
      repository       = optional(object({ arn = string }))
      targets          = map(string)
    })), {})
    workspace = optional(object({ id = string }))
  })
  default = {}

  validation {
    condition     = try(var.prometheus.workspace, null) == null || can(regex("^ws-[0-9a-zA-Z-]+$", var.prometheus.workspace.id))
    error_message = "prometheus.workspace.id is the id of a workspace, ws-…; not its ARN and not its alias."
  }

  validation {
    condition     = try(var.prometheus.retention_days >= 1 && var.prometheus.retention_days <= 1095 && floor(var.prometheus.retention_days) == var.prometheus.retention_days, var.prometheus == null)
    error_message = "prometheus.retention_days is a whole number from 1 to 1095."
  }

  validation {
    condition     = try(var.prometheus.kms_key, null) == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.prometheus.kms_key.arn))
    error_message = "prometheus.kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for name in keys(var.prometheus.collectors) : can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", name))]), false)
    error_message = "Keys of prometheus.collectors are names of servers: 1 to 20 lower-case letters, digits and hyphens."
  }

  validation {
    condition = var.prometheus == null || try(alltrue([for collector in values(var.prometheus.collectors) :
    can(regex("^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", collector.image)) && !endswith(collector.image, ":latest")]), false)
    error_message = "image of prometheus.collectors names its registry and one version, as a tag or a digest: HOST/NAME:v0.43.3. What latest is differs from one start to the next."
  }

  validation {
    condition = var.prometheus == null || try(alltrue([for collector in values(var.prometheus.collectors) :
    collector.interval_seconds >= 5 && collector.interval_seconds <= 60 && floor(collector.interval_seconds) == collector.interval_seconds]), false)
    error_message = "interval_seconds of prometheus.collectors is a whole number from 5 to 60: alerts look at 5 minutes, and rates need several samples."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for collector in values(var.prometheus.collectors) : collector.port >= 1 && collector.port <= 65535 && floor(collector.port) == collector.port]), false)
    error_message = "port of prometheus.collectors is a whole number from 1 to 65535."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for collector in values(var.prometheus.collectors) : collector.memory_mib >= 128 && floor(collector.memory_mib) == collector.memory_mib]), false)
    error_message = "memory_mib of prometheus.collectors is a whole number, 128 or more."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for collector in values(var.prometheus.collectors) : can(regex("^[a-zA-Z0-9_/.#-]{1,512}$", collector.log_group))]), false)
    error_message = "log_group of prometheus.collectors is the name of a log group: letters, digits and _ / . # -, up to 512; not an ARN."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for name in keys(var.prometheus.scrapers) : can(regex("^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$", name))]), false)
    error_message = "Keys of prometheus.scrapers are names of your choice: 1 to 12 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) : can(regex("^arn:[a-z-]+:ecs:[a-z0-9-]+:[0-9]{12}:cluster/[A-Za-z0-9_-]+$", scraper.cluster.arn))]), false)
    error_message = "cluster.arn of prometheus.scrapers is the ARN of a cluster of ECS (arn:aws:ecs:REGION:ACCOUNT:cluster/NAME), not its name."
  }

  validation {
    condition = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) :
    can(regex("^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9._-]+)+(:[A-Za-z0-9_][A-Za-z0-9_.-]*|@sha256:[0-9a-f]{64})$", scraper.image)) && !endswith(scraper.image, ":latest")]), false)
    error_message = "image of prometheus.scrapers names its registry and one version, as a tag or a digest: HOST/NAME:v3.13.5. What latest is differs from one start to the next."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) : scraper.repository == null || can(regex("^arn:[a-z-]+:ecr:[a-z0-9-]+:[0-9]{12}:repository/[a-z0-9._/-]+$", scraper.repository.arn))]), false)
    error_message = "repository.arn of prometheus.scrapers is the ARN of a repository of ECR (arn:aws:ecr:REGION:ACCOUNT:repository/NAME), not its URL."
  }

  validation {
    condition = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) :
    scraper.interval_seconds >= 5 && scraper.interval_seconds <= 60 && floor(scraper.interval_seconds) == scraper.interval_seconds]), false)
    error_message = "interval_seconds of prometheus.scrapers is a whole number from 5 to 60: alerts look at 5 minutes, and rates need several samples."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) : scraper.port >= 1 && scraper.port <= 65535 && floor(scraper.port) == scraper.port]), false)
    error_message = "port of prometheus.scrapers is a whole number from 1 to 65535."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) : contains([512, 1024, 2048], scraper.memory_mib)]), false)
    error_message = "memory_mib of prometheus.scrapers is 512, 1024 or 2048, which Fargate has for a quarter of a vCPU."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) : length(scraper.network.subnet_ids) >= 1]), false)
    error_message = "network.subnet_ids of prometheus.scrapers holds a subnet or more."
  }

  validation {
    condition     = var.prometheus == null || try(alltrue([for scraper in values(var.prometheus.scrapers) : length(scraper.targets) >= 1 && alltrue([for cidr in values(scraper.targets) : can(cidrnetmask(cidr))])]), false)
    error_message = "targets of prometheus.scrapers holds one IPv4 range or more, such as 10.20.0.0/16 of the VPC: without one nothing could be scraped."
  }
}

variable "services" {
  description = "Services of ECS with alarms and a place on the dashboard; keys are names of your choice. `cluster`, `service`: their names. `cpu_percent`, `memory_percent`: averages over 5 minutes. `missing_minutes`: fewer running than desired for so long, a multiple of 5; 0 has no such alarm. `tasks`: fewer running than this; null has no such alarm. These two need Container Insights."
  type = map(object({
    cluster         = string
    cpu_percent     = optional(number, 85)
    memory_percent  = optional(number, 90)
    missing_minutes = optional(number, 15)
    service         = string
    tasks           = optional(number)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for percent in [service.cpu_percent, service.memory_percent] : percent > 0]]))
    error_message = "cpu_percent and memory_percent of services are above 0."
  }

  validation {
    condition     = alltrue(flatten([for service in values(var.services) : [for name in [service.cluster, service.service] : !startswith(name, "arn:")]]))
    error_message = "cluster and service of services are names, which metrics have; not ARNs."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : try(service.tasks >= 1 && floor(service.tasks) == service.tasks, service.tasks == null)])
    error_message = "tasks of services is a whole number, 1 or more, or null."
  }

  validation {
    condition     = alltrue([for service in values(var.services) : service.missing_minutes >= 0 && service.missing_minutes <= 1440 && service.missing_minutes % 5 == 0])
    error_message = "missing_minutes of services is a multiple of 5, up to 1440, or 0 for no alarm."
  }

  validation {
    condition     = alltrue([for name in keys(var.services) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "Keys of services are up to 31 lower-case letters, digits and hyphens."
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
