variable "anywhere" {
  description = <<-EOT
    ECS Anywhere: machines of your own that run tasks (launch type EXTERNAL). `activations`: by a name of your choice, such as that of a site, with which up to `machines` are registered
    before `expires` (2026-02-01T12:00:00Z, at most 30 days ahead); another date makes a new one. Its code is in a secret of Secrets Manager; `kms_key`: a customer's key for that.
    Registered machines keep working when their activation is gone, as long as this is not null, which takes their role away.
  EOT
  type = object({
    activations = optional(map(object({
      expires  = string
      machines = optional(number, 1)
    })), {})
    kms_key = optional(object({ arn = string }))
  })
  default = null

  validation {
    condition     = alltrue([for name in keys(try(var.anywhere.activations, {})) : can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", name))])
    error_message = "Keys of anywhere.activations are 1 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }

  validation {
    condition     = alltrue([for activation in values(try(var.anywhere.activations, {})) : can(formatdate("YYYY", activation.expires))])
    error_message = "anywhere.activations.*.expires is a time such as 2026-02-01T12:00:00Z."
  }

  validation {
    condition     = alltrue([for activation in values(try(var.anywhere.activations, {})) : try(timecmp(activation.expires, timeadd(plantimestamp(), "720h")) <= 0, true)])
    error_message = "anywhere.activations.*.expires is more than 30 days ahead, and no activation lasts longer."
  }

  validation {
    condition     = alltrue([for activation in values(try(var.anywhere.activations, {})) : activation.machines >= 1 && activation.machines <= 1000 && floor(activation.machines) == activation.machines])
    error_message = "anywhere.activations.*.machines is a whole number from 1 to 1000."
  }

  validation {
    condition     = try(var.anywhere.kms_key, null) == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.anywhere.kms_key.arn))
    error_message = "anywhere.kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }
}

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
  description = "Where tasks run whose service says nothing: keys are FARGATE and FARGATE_SPOT, or those of instances. `base`: so many tasks first, in one of them at most; `weight`: its share of the rest. Empty: each service says it itself."
  type = map(object({
    base   = optional(number, 0)
    weight = optional(number, 1)
  }))
  default  = { FARGATE = {} }
  nullable = false

  validation {
    condition     = length(setsubtract(keys(var.default_strategy), setunion(var.cluster.fargate, keys(var.instances)))) == 0
    error_message = "A key of default_strategy is no capacity of this cluster: it is one of cluster.fargate, or a key of instances."
  }

  validation {
    condition     = length(setintersection(keys(var.default_strategy), ["FARGATE", "FARGATE_SPOT"])) == 0 || length(setintersection(keys(var.default_strategy), keys(var.instances))) == 0
    error_message = "default_strategy has Fargate beside instances, which ECS refuses: a service is on one or the other. Keep one, and let services name the other."
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

variable "instances" {
  description = <<-EOT
    Groups of instances of EC2, each a capacity provider, which starts and ends instances as tasks need them; keys are names of your choice. `types`: such as m7i.large, in the order of preference; or
    `attributes`: any current type with so many `vcpus`, `memory_mib` and `accelerators`, but none of `excluded_types` (patterns such as m5*). `min`, `max`: how many there are.
    `ami`: `kind` x86_64, arm64 (Graviton), gpu (NVIDIA) or neuron (Inferentia, Trainium); `id`: an AMI of your own of that kind; null takes the newest of AWS for ECS at each launch.
    `root_volume`: gp3, encrypted; `kms_key`: a customer's key, which admits AWSServiceRoleForAutoScaling. `spot`: all but `on_demand_base` instances and `on_demand_percent` of the rest are Spot.
    `target_percent`: how full ECS keeps the group; below 100 leaves room. `termination_protection`: no instance with tasks is taken away to save capacity. `warm_pool`: instances that are started
    ahead and wait (`state` Stopped or Running): `min` of them; `max_prepared`: waiting and working together, null means `max`. `refresh`: replaces instances when their template changes,
    `min_healthy_percent` of them staying; null leaves them until they end. `clients`: security groups, such as the load balancer's, that reach the ports which ECS assigns to containers
    (bridge networks). `security_group_ids`: further groups that the instances are in, such as one that lets them reach a database. Keys of both are names of your choice.
  EOT
  type = map(object({
    ami = optional(object({
      id   = optional(string)
      kind = optional(string, "x86_64")
    }), {})
    attributes = optional(object({
      accelerators   = optional(object({ max = optional(number), min = optional(number, 1) }))
      excluded_types = optional(set(string), [])
      memory_mib     = object({ max = optional(number), min = number })
      vcpus          = object({ max = optional(number), min = number })
    }))
    clients = optional(map(string), {})
    max     = number
    min     = optional(number, 0)
    refresh = optional(object({ min_healthy_percent = optional(number, 100) }))
    root_volume = optional(object({
      gib            = optional(number, 50)
      iops           = optional(number, 3000)
      kms_key        = optional(object({ arn = string }))
      throughput_mib = optional(number, 125)
    }), {})
    security_group_ids     = optional(map(string), {})
    spot                   = optional(object({ on_demand_base = optional(number, 0), on_demand_percent = optional(number, 0) }))
    target_percent         = optional(number, 100)
    termination_protection = optional(bool, true)
    types                  = optional(list(string), [])
    warm_pool = optional(object({
      max_prepared = optional(number)
      min          = optional(number, 0)
      state        = optional(string, "Stopped")
    }))
  }))
  default  = {}
  nullable = false

  validation {
    condition     = alltrue([for name in keys(var.instances) : can(regex("^[a-z]([a-z0-9-]{0,18}[a-z0-9])?$", name))])
    error_message = "Keys of instances are 1 to 20 lower-case letters, digits and hyphens, and begin with a letter."
  }

  validation {
    condition     = length(var.instances) == 0 || !can(regex("^(aws|ecs|fargate)", var.name))
    error_message = "Capacity providers of instances begin with the cluster's name, and none may begin with aws, ecs or fargate. Choose another name."
  }

  validation {
    condition     = length(var.instances) == 0 || var.network != null
    error_message = "instances have nowhere to be: network is null. Give it networks.private of modules/vpc."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.min <= group.max])
    error_message = "instances.*.min is larger than .max, so that the group could have no size. Exchange them, or raise max."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.min >= 0 && group.max >= 1 && floor(group.min) == group.min && floor(group.max) == group.max])
    error_message = "instances.*.min is a whole number, 0 or more, and .max one that is 1 or more: a group of none can start nothing."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : (length(group.types) > 0) != (group.attributes != null)])
    error_message = "instances.* has either types or attributes: types = [\"m7i.large\"], or attributes = { vcpus = { min = 2 }, memory_mib = { min = 8192 } }."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : concat([length(distinct(group.types)) == length(group.types)], [for type in group.types : can(regex("^[a-z][a-z0-9-]*[.][a-z0-9-]+$", type))])]))
    error_message = "Each of instances.*.types is a type of instance, such as m7i.large, and is there once."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : contains(["arm64", "gpu", "neuron", "x86_64"], group.ami.kind)])
    error_message = "instances.*.ami.kind is x86_64, arm64, gpu or neuron."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.ami.id == null || can(regex("^ami-[0-9a-f]{8,17}$", group.ami.id))])
    error_message = "instances.*.ami.id is the id of an AMI, ami-…, or null for the newest of AWS."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for type in group.types : group.ami.kind == "gpu" || !can(regex("^(p[0-9]|gr?[0-9])", type))]]))
    error_message = "instances.*.types holds instances with a GPU, and the AMI has no driver for it: tasks that ask for a GPU would never be placed. Take ami = { kind = \"gpu\" }."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for type in group.types : group.ami.kind != "gpu" || can(regex("^(p[0-9]|gr?[0-9])", type))]]))
    error_message = "instances.*.ami.kind is gpu, and types holds instances without a GPU. Put them into a group of their own."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for type in group.types : !startswith(type, "g4ad.")]]))
    error_message = "instances.*.types holds g4ad, whose GPU is of AMD: ECS gives tasks GPUs of NVIDIA only. Take g4dn, g5 or g6."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for type in group.types : group.ami.kind != "gpu" || group.ami.id != null || !can(regex("^(g5g|p6e-gb[0-9]+)[.]", type))]]))
    error_message = "instances.*.types holds GPUs beside processors of ARM, for which AWS has no AMI for ECS. Give ami = { kind = \"gpu\", id = … }, or take other types."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for type in group.types : (group.ami.kind == "neuron") == can(regex("^(inf|trn)[0-9]", type))]]))
    error_message = "instances.*.types and ami do not fit: Inferentia and Trainium (inf, trn) take ami = { kind = \"neuron\" }, and nothing else takes it."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for type in group.types : group.ami.kind == "gpu" || (group.ami.kind == "arm64") == can(regex("^(a1|[a-z]+[0-9]+g[a-z]*)[.-]", type))]]))
    error_message = "instances.*.types and ami do not fit: Graviton (such as m7g) takes ami = { kind = \"arm64\" }, and nothing else takes it. Images would end with an exec format error."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.attributes == null || try(contains(["gpu", "neuron"], group.ami.kind) == (group.attributes.accelerators != null), false)])
    error_message = "instances.*.attributes.accelerators and ami do not fit: GPUs take ami = { kind = \"gpu\" }, Inferentia takes neuron, and both kinds take accelerators = { min = 1 }."
  }

  validation {
    condition = alltrue(flatten([for group in values(var.instances) : [for range in try([group.attributes.vcpus, group.attributes.memory_mib, group.attributes.accelerators], []) :
    range == null || try(range.min >= 1 && floor(range.min) == range.min && (range.max == null || try(range.max >= range.min && floor(range.max) == range.max, false)), false)]]))
    error_message = "Each of vcpus, memory_mib and accelerators of instances.*.attributes has a min, a whole number from 1, and a max that is null or not smaller."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.root_volume.gib >= 30 && group.root_volume.gib <= 65536 && floor(group.root_volume.gib) == group.root_volume.gib])
    error_message = "instances.*.root_volume.gib is a whole number from 30, the size of AWS's AMIs for ECS, to 65536."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.root_volume.iops >= 3000 && group.root_volume.iops <= min(80000, max(3000, 500 * group.root_volume.gib))])
    error_message = "instances.*.root_volume.iops is from 3000 to 80000, and at most 500 for each GiB."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.root_volume.throughput_mib >= 125 && group.root_volume.throughput_mib <= min(2000, group.root_volume.iops / 4)])
    error_message = "instances.*.root_volume.throughput_mib is from 125 to 2000 (MiB/s), and at most a quarter of iops. Raise iops with it."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : try(group.root_volume.kms_key, null) == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", group.root_volume.kms_key.arn))])
    error_message = "instances.*.root_volume.kms_key.arn is the ARN of a key (arn:aws:kms:REGION:ACCOUNT:key/ID), not an alias and not an id."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.spot == null || try(group.spot.on_demand_percent >= 0 && group.spot.on_demand_percent <= 99 && group.spot.on_demand_base >= 0 && group.spot.on_demand_base < group.max, false)])
    error_message = "instances.*.spot.on_demand_percent is from 0 to 99, and .on_demand_base from 0 to below max: with more there is no Spot, and spot is null."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.target_percent >= 1 && group.target_percent <= 100 && floor(group.target_percent) == group.target_percent])
    error_message = "instances.*.target_percent is a whole number from 1 to 100."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.refresh == null || try(group.refresh.min_healthy_percent >= 0 && group.refresh.min_healthy_percent <= 100, false)])
    error_message = "instances.*.refresh.min_healthy_percent is from 0 to 100."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : group.warm_pool == null || group.spot == null && length(group.types) == 1])
    error_message = "instances.*.warm_pool takes one type, on demand: no attributes, no second type, no spot. Put them into a group of their own."
  }

  validation {
    condition = alltrue([for group in values(var.instances) : group.warm_pool == null || try(contains(["Running", "Stopped"], group.warm_pool.state) && group.warm_pool.min >= 0 && floor(group.warm_pool.min) == group.warm_pool.min
    && (group.warm_pool.max_prepared == null || try(group.warm_pool.max_prepared >= group.warm_pool.min && floor(group.warm_pool.max_prepared) == group.warm_pool.max_prepared, false)), false)])
    error_message = "instances.*.warm_pool.state is Stopped or Running, .min a whole number from 0, and .max_prepared null or a whole number not smaller than min."
  }

  validation {
    condition     = alltrue(flatten([for group in values(var.instances) : [for id in concat(values(group.clients), values(group.security_group_ids)) : can(regex("^sg-[0-9a-z]+$", id))]]))
    error_message = "Each of instances.*.clients and .security_group_ids is the id of a security group, sg-…."
  }

  validation {
    condition     = alltrue([for group in values(var.instances) : length(group.security_group_ids) <= 4])
    error_message = "instances.*.security_group_ids holds at most 4 groups: with the module's own, an interface takes 5."
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

variable "network" {
  description = "Where instances and servers are: the VPC, and subnets in it, from which the APIs of AWS are reached; modules/vpc gives it as networks.private. null: there are no instances, and servers get no security groups."
  type = object({
    vpc_id     = string
    subnet_ids = list(string)
  })
  default = null

  validation {
    condition     = try(length(var.network.subnet_ids) >= 1, true)
    error_message = "network.subnet_ids holds a subnet or more."
  }

  validation {
    condition     = try(length(distinct(var.network.subnet_ids)) == length(var.network.subnet_ids), true)
    error_message = "network.subnet_ids holds a subnet twice."
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
    Model servers, each with an execution role, a task role, a log group and, where there is a network, a security group; keys are names of your choice, such as those of teams. `models`: patterns of models that
    it reads, such as risk-*; null means all. `clients`: security groups, such as the load balancer's, that reach its tasks on port 8080, the model server's. `repository_arns`: of ECR, that its images come from. `secret_arns` (Secrets Manager) and `parameter_arns` (Parameter Store): what its task definition takes values from;
    `secret_kms_key_arns`: customer's keys that those are encrypted with. Keys of these maps are names of your choice.
  EOT
  type = map(object({
    clients             = optional(map(string), {})
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
    condition     = alltrue([for server in values(var.servers) : length(server.clients) == 0]) || var.network != null
    error_message = "servers.*.clients reach a security group in a VPC, and there is no network. Give network, or leave clients out."
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
