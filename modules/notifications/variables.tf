variable "alertmanager" {
  description = <<-EOT
    Routes of alerts to topics, as configuration in the outputs; null has none. `topic`: for alerts that no route takes.
    `routes`: asked in their order; `matchers` such as severity="critical" must all hold; `quiet_hours` names windows in which the route stays
    silent; `continue` asks the routes below as well. `group_by`: labels whose alerts come as one message. `group_wait_seconds`: for the first
    message of a group; `group_interval_seconds`: between changes of it; `repeat_interval_seconds`: while nothing changes, at most 5 days.
  EOT
  type = object({
    group_by                = optional(list(string), ["alertname", "endpoint"])
    group_interval_seconds  = optional(number, 300)
    group_wait_seconds      = optional(number, 30)
    repeat_interval_seconds = optional(number, 14400)
    routes = optional(list(object({
      continue    = optional(bool, false)
      matchers    = list(string)
      quiet_hours = optional(list(string), [])
      topic       = string
    })), [])
    topic = string
  })
  default = null

  validation {
    condition     = try(alltrue([for topic in concat([var.alertmanager.topic], var.alertmanager.routes[*].topic) : contains(keys(var.topics), topic)]), true)
    error_message = "alertmanager sends to a topic that topics does not have. Name one of its keys."
  }

  validation {
    condition     = try(alltrue([for route in var.alertmanager.routes : length(route.matchers) > 0]), true)
    error_message = "A route of alertmanager has no matcher, so no route below it would be asked. For all alerts there is alertmanager.topic."
  }

  validation {
    condition     = try(alltrue([for matcher in flatten(var.alertmanager.routes[*].matchers) : can(regex("^[a-zA-Z_][a-zA-Z0-9_]*(=|!=|=~|!~)\"([^\"\\\\]|\\\\.)*\"$", matcher))]), true)
    error_message = "Each matcher of alertmanager.routes is a label, one of = != =~ !~, and a value in double quotes: severity=\"critical\"."
  }

  validation {
    condition     = try(alltrue([for name in flatten(var.alertmanager.routes[*].quiet_hours) : contains(keys(var.quiet_hours), name)]), true)
    error_message = "A route of alertmanager names quiet_hours that are not there. Name keys of quiet_hours."
  }

  validation {
    condition     = try(alltrue([for label in var.alertmanager.group_by : label == "..." || can(regex("^[a-zA-Z_][a-zA-Z0-9_]*$", label))]), true)
    error_message = "alertmanager.group_by holds names of labels, or \"...\" for all."
  }

  validation {
    condition = try(alltrue([
      for seconds in [var.alertmanager.group_wait_seconds, var.alertmanager.group_interval_seconds, var.alertmanager.repeat_interval_seconds] :
      seconds >= 1 && floor(seconds) == seconds
    ]) && var.alertmanager.repeat_interval_seconds <= 432000 && var.alertmanager.repeat_interval_seconds >= var.alertmanager.group_interval_seconds, true)
    error_message = "alertmanager's intervals are whole seconds; repeat_interval_seconds is not shorter than group_interval_seconds and at most 432000 (5 days, the longest of Amazon Managed Prometheus)."
  }
}

variable "chatbot" {
  description = "Slack channels that Amazon Q Developer in chat applications (AWS Chatbot) writes to; keys are names of your choice. `workspace_id`: T…, authorized once in the console. `channel_id`: C…, or G… of a private one, to which the app was invited. `topics`: keys of topics. It may read CloudWatch, and nothing else."
  type = map(object({
    channel_id   = string
    topics       = list(string)
    workspace_id = string
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for channel in values(var.chatbot) : can(regex("^T[A-Z0-9]{8,}$", channel.workspace_id))])
    error_message = "chatbot's workspace_id is Slack's id of the workspace, T and 8 or more capital letters and digits; not its name."
  }

  validation {
    condition     = alltrue([for channel in values(var.chatbot) : can(regex("^[CG][A-Z0-9]{8,}$", channel.channel_id))])
    error_message = "chatbot's channel_id is Slack's id of the channel, C or G and 8 or more capital letters and digits (\"Copy link\" of the channel ends in it); not its name."
  }

  validation {
    condition     = alltrue([for channel in values(var.chatbot) : length(channel.topics) > 0 && alltrue([for topic in channel.topics : contains(keys(var.topics), topic)])])
    error_message = "Each of chatbot has one or more of the keys of topics."
  }

  validation {
    condition     = alltrue([for name in keys(var.chatbot) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "Keys of chatbot are up to 31 lower-case letters, digits and hyphens."
  }
}

variable "events" {
  description = <<-EOT
    Events of AWS that go to a topic; keys are names of your choice. `kind`: ecs-deployment-failed, ecs-deployment-completed, ecs-task-stopped (in `names` of clusters);
    pipeline-failed, pipeline-succeeded, pipeline-approval (of CodePipeline); registry-artifact-written (in buckets, whose events go to EventBridge),
    registry-image-pushed, registry-image-vulnerable (in repositories of ECR); registry-model-changed (versions and aliases of models), registry-endpoint-changed (deployments
    and rollouts of endpoints, by their ids), which need registry_stream. `names`: only of these; none means all, except for buckets. `topic`: a key of topics.
  EOT
  type = map(object({
    kind  = string
    names = optional(list(string), [])
    topic = string
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for event in values(var.events) : contains([
      "ecs-deployment-failed", "ecs-deployment-completed", "ecs-task-stopped", "pipeline-failed", "pipeline-succeeded", "pipeline-approval",
      "registry-artifact-written", "registry-image-pushed", "registry-image-vulnerable", "registry-model-changed", "registry-endpoint-changed",
    ], event.kind)])
    error_message = "Each kind of events is ecs-deployment-failed, ecs-deployment-completed, ecs-task-stopped, pipeline-failed, pipeline-succeeded, pipeline-approval, registry-artifact-written, registry-image-pushed, registry-image-vulnerable, registry-model-changed or registry-endpoint-changed."
  }

  validation {
    condition     = alltrue([for event in values(var.events) : event.kind != "registry-artifact-written" || length(event.names) > 0])
    error_message = "An event of kind registry-artifact-written needs names: the registry's bucket. Without it each object of each bucket would be told."
  }

  validation {
    condition     = var.registry_stream != null || alltrue([for event in values(var.events) : !contains(["registry-model-changed", "registry-endpoint-changed"], event.kind)])
    error_message = "Events of the kinds registry-model-changed and registry-endpoint-changed are read from the registry's table: give registry_stream."
  }

  validation {
    condition     = length([for event in values(var.events) : event if contains(["registry-model-changed", "registry-endpoint-changed"], event.kind)]) <= 2
    error_message = "There are more than 2 events of the kinds registry-model-changed and registry-endpoint-changed. A stream of DynamoDB has 2 readers: let events share a topic, or leave names out."
  }

  validation {
    condition     = alltrue([for event in values(var.events) : contains(keys(var.topics), event.topic)])
    error_message = "Each of events has a key of topics as its topic."
  }

  validation {
    condition     = alltrue([for name in keys(var.events) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "Keys of events are up to 31 lower-case letters, digits and hyphens."
  }
}

variable "kms_key" {
  description = "A key for the topics, whose policy admits the publishers (cloudwatch, events, aps .amazonaws.com) to kms:Decrypt and kms:GenerateDataKey*. null makes one that does. The key of AWS (alias/aws/sns) admits no service."
  type        = object({ arn = string })
  default     = null

  validation {
    condition     = var.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key.arn))
    error_message = "kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
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

variable "quiet_hours" {
  description = <<-EOT
    Windows in which routes of alertmanager stay silent; keys are names of your choice. `times`: from `start` to `end`, hours and minutes, 24:00 at the latest;
    a night is two of them. None means whole days. `weekdays`: monday to sunday; none means all. `time_zone`: of the IANA, such as Europe/Berlin.
    An alert that lasts beyond the window is sent at its end.
  EOT
  type = map(object({
    time_zone = optional(string, "UTC")
    times     = optional(list(object({ end = string, start = string })), [])
    weekdays  = optional(list(string), [])
  }))
  default  = {}
  nullable = false

  validation {
    condition = alltrue([for time in flatten(values(var.quiet_hours)[*].times) :
    can(regex("^([01][0-9]|2[0-3]):[0-5][0-9]$", time.start)) && can(regex("^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", time.end))])
    error_message = "start and end of quiet_hours are hours and minutes with two digits each, 00:00 to 23:59; end may be 24:00."
  }

  validation {
    condition = alltrue([for time in flatten(values(var.quiet_hours)[*].times) :
    try(tonumber(replace(time.start, ":", "")) < tonumber(replace(time.end, ":", "")), true)])
    error_message = "A window of quiet_hours ends before it begins. A night is two windows: { start = \"22:00\", end = \"24:00\" } and { start = \"00:00\", end = \"07:00\" }."
  }

  validation {
    condition     = alltrue([for day in flatten(values(var.quiet_hours)[*].weekdays) : contains(["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], day)])
    error_message = "weekdays of quiet_hours are monday, tuesday, wednesday, thursday, friday, saturday and sunday."
  }

  validation {
    condition     = alltrue([for window in values(var.quiet_hours) : length(window.times) > 0 || length(window.weekdays) > 0])
    error_message = "Each of quiet_hours has times, weekdays, or both; without them it would never end."
  }

  validation {
    condition     = alltrue([for window in values(var.quiet_hours) : can(regex("^(UTC|[A-Z][A-Za-z_]+(/[A-Z][A-Za-z_+0-9-]*)+)$", window.time_zone))])
    error_message = "time_zone of quiet_hours is UTC or a name of the IANA, such as Europe/Berlin; abbreviations (CET) and offsets (+01:00) have no summer time."
  }
}

variable "registry_stream" {
  description = "The stream of the registry's table, for events of the kinds registry-model-changed and registry-endpoint-changed: `arn` is stream_arn of the output table of modules/registry, `kms_key_arn` its key."
  type = object({
    arn         = string
    kms_key_arn = string
  })
  default = null

  validation {
    condition     = var.registry_stream == null || can(regex("^arn:[a-z-]+:dynamodb:[a-z0-9-]+:[0-9]{12}:table/[A-Za-z0-9_.-]+/stream/.+$", var.registry_stream.arn))
    error_message = "registry_stream.arn is the ARN of a table's stream (arn:aws:dynamodb:REGION:ACCOUNT:table/NAME/stream/TIME), not that of the table."
  }

  validation {
    condition     = var.registry_stream == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.registry_stream.kms_key_arn))
    error_message = "registry_stream.kms_key_arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
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

variable "topics" {
  description = "Topics of SNS; keys are names of your choice, such as page and ticket. `emails`: addresses, each under a name of your choice; each gets a message to confirm first. `title`: the sender's name in e-mail."
  type = map(object({
    emails = optional(map(string), {})
    title  = optional(string)
  }))
  default  = { alerts = {} }
  nullable = false

  validation {
    condition     = length(var.topics) > 0 && alltrue([for name in keys(var.topics) : can(regex("^[a-z][a-z0-9-]{0,30}$", name))])
    error_message = "topics has one entry or more, whose keys are up to 31 lower-case letters, digits and hyphens."
  }

  validation {
    condition     = alltrue([for address in flatten([for topic in values(var.topics) : values(topic.emails)]) : can(regex("^[^@[:space:],;<>\"]{1,64}@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\\.)+[A-Za-z]{2,63}$", address))])
    error_message = "Each of emails is one address, such as oncall@example.com: no name before it, no list."
  }

  validation {
    condition     = alltrue([for topic in values(var.topics) : length(distinct(values(topic.emails))) == length(topic.emails)])
    error_message = "An address stands twice among the emails of a topic. SNS has one subscription for each."
  }

  validation {
    condition     = alltrue([for topic in values(var.topics) : topic.title == null || try(length(topic.title) <= 100 && length(topic.title) > 0, false)])
    error_message = "title of topics has 1 to 100 characters."
  }
}

variable "webhooks" {
  description = "Slack channels that a function writes to by an incoming webhook; keys are names of your choice. `secret_arn`: a secret of Secrets Manager that holds the webhook's address and nothing else; the function reads it when a message comes, and Terraform never does. `kms_key`: the customer's key that the secret is encrypted with, if there is one. `topics`: keys of topics."
  type = map(object({
    kms_key    = optional(object({ arn = string }))
    secret_arn = string
    topics     = list(string)
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for webhook in values(var.webhooks) : !strcontains(coalesce(webhook.secret_arn, "-"), "://")])
    error_message = "A secret_arn of webhooks is an address. An address of a webhook is a secret and must not be in a configuration: put it into Secrets Manager, and name the secret's ARN."
  }

  validation {
    condition     = alltrue([for webhook in values(var.webhooks) : can(regex("^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:.+$", webhook.secret_arn))])
    error_message = "Each of webhooks has the secret_arn of a secret of Secrets Manager: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME."
  }

  validation {
    condition     = alltrue([for webhook in values(var.webhooks) : webhook.kms_key == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", webhook.kms_key.arn))])
    error_message = "kms_key.arn of webhooks is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }

  validation {
    condition     = alltrue([for webhook in values(var.webhooks) : length(webhook.topics) > 0 && alltrue([for topic in webhook.topics : contains(keys(var.topics), topic)])])
    error_message = "Each of webhooks has one or more of the keys of topics."
  }

  validation {
    condition     = alltrue([for name in keys(var.webhooks) : can(regex("^[a-z][a-z0-9-]{0,20}$", name))])
    error_message = "Keys of webhooks are up to 21 lower-case letters, digits and hyphens."
  }
}
