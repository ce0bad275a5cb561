# What is planned and, where only an apply tells, made.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "the_least_configuration_is_a_cluster_on_fargate_with_insights_and_recorded_sessions" {
  command = apply

  assert {
    condition     = one(aws_ecs_cluster.this.setting).name == "containerInsights" && one(aws_ecs_cluster.this.setting).value == "enhanced"
    error_message = "Container Insights are not on."
  }

  assert {
    condition     = aws_cloudwatch_log_group.insights["insights"].name == "/aws/ecs/containerinsights/serving/performance" && aws_cloudwatch_log_group.insights["insights"].retention_in_days == 365
    error_message = "Records of Container Insights do not end."
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT"])
    error_message = "Fargate is not there."
  }

  assert {
    condition     = [for share in aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy : share.capacity_provider] == ["FARGATE"]
    error_message = "A service that says nothing does not run on Fargate."
  }

  assert {
    condition = (
      aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].logging == "OVERRIDE" &&
      aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].log_configuration[0].cloud_watch_log_group_name == "/ecs/serving/exec" &&
      !aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].log_configuration[0].cloud_watch_encryption_enabled &&
      aws_cloudwatch_log_group.exec["exec"].retention_in_days == 365
    )
    error_message = "Sessions are not recorded."
  }

  assert {
    condition     = output.cluster.arn == "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" && output.cluster.name == "serving" && output.exec_log_group == "/ecs/serving/exec" && output.servers == {}
    error_message = "The cluster is not told."
  }

  assert {
    condition     = output.capacity_providers == { FARGATE = "FARGATE", FARGATE_SPOT = "FARGATE_SPOT" }
    error_message = "The capacity is not told."
  }

  assert {
    condition     = output.anywhere == null && output.instances == {}
    error_message = "Machines are told that nobody asked for."
  }
}

run "shares_of_the_default_strategy_are_those_that_were_asked_for" {
  command = plan
  variables { default_strategy = { FARGATE = { base = 2, weight = 1 }, FARGATE_SPOT = { weight = 3 } } }

  assert {
    condition = { for share in aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy : share.capacity_provider => [share.base, share.weight] } == {
      FARGATE      = [2, 1]
      FARGATE_SPOT = [0, 3]
    }
    error_message = "Shares are not as they were asked for."
  }
}

run "a_cluster_may_be_without_fargate_without_insights_and_without_sessions" {
  command = plan
  variables {
    cluster          = { container_insights = "disabled", fargate = [] }
    default_strategy = {}
    exec             = null
    servers          = { fraud = {} }
  }

  assert {
    condition     = length(aws_ecs_cluster_capacity_providers.this.capacity_providers) == 0 && length(aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy) == 0
    error_message = "There is capacity that nobody asked for."
  }

  assert {
    condition     = length(aws_cloudwatch_log_group.insights) == 0 && one(aws_ecs_cluster.this.setting).value == "disabled"
    error_message = "Container Insights are on."
  }

  assert {
    condition     = length(aws_ecs_cluster.this.configuration) == 0 && length(aws_cloudwatch_log_group.exec) == 0 && output.exec_log_group == null && length(aws_iam_role_policy.task) == 0
    error_message = "Sessions are possible."
  }
}

run "keys_of_customers_encrypt_logs_and_sessions" {
  command = plan
  variables {
    exec    = { kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/exec" } }
    logging = { kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/logs", retention_days = 30 }
    servers = { fraud = {} }
    tags    = { team = "ml" }
  }

  assert {
    condition = (
      aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/exec" &&
      aws_ecs_cluster.this.configuration[0].execute_command_configuration[0].log_configuration[0].cloud_watch_encryption_enabled
    )
    error_message = "Sessions are not encrypted with the key."
  }

  assert {
    condition = alltrue([for group in [aws_cloudwatch_log_group.exec["exec"], aws_cloudwatch_log_group.insights["insights"], aws_cloudwatch_log_group.servers["fraud"]] :
    group.kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/logs" && group.retention_in_days == 30 && group.tags["team"] == "ml"])
    error_message = "A log group has not the key, the end or the tags."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement.Resource if statement.Sid == "DecryptSessions"] == ["arn:aws:kms:eu-west-1:123456789012:key/exec"]
    error_message = "A task could not take part in a session."
  }
}

run "roles_of_a_server_reach_what_was_named_and_nothing_else" {
  command = apply
  variables {
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/registry", prefix = "prod", table = "registry" }
    servers = {
      fraud = {
        models              = ["fraud-*", "risk"]
        parameter_arns      = { level = "arn:aws:ssm:eu-west-1:123456789012:parameter/fraud/level" }
        repository_arns     = { server = "arn:aws:ecr:eu-west-1:123456789012:repository/model-server" }
        secret_arns         = { token = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf" }
        secret_kms_key_arns = { token = "arn:aws:kms:eu-west-1:123456789012:key/secrets" }
      }
      search = {}
    }
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.execution["fraud"].policy).Statement : statement.Sid => statement.Resource } == {
      DecryptSecrets = "arn:aws:kms:eu-west-1:123456789012:key/secrets"
      PullImages     = "arn:aws:ecr:eu-west-1:123456789012:repository/model-server"
      ReadParameters = "arn:aws:ssm:eu-west-1:123456789012:parameter/fraud/level"
      ReadSecrets    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:token-AbCdEf"
      SignInToImages = "*"
      WriteLogs = [
        "arn:aws:logs:eu-west-1:123456789012:log-group:/mlops/endpoints/serving/*",
        "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/serving/servers/fraud:*",
      ]
    }
    error_message = "The execution role reaches other things than those that were named."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.execution["search"].policy).Statement : statement.Sid] == ["WriteLogs"]
    error_message = "A server that names nothing reaches more than its log group."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement.Sid => statement.Resource } == {
      FindLogOfSessions  = "*"
      ListArtifacts      = "arn:aws:s3:::models"
      OpenSessions       = "*"
      ReadArtifacts      = "arn:aws:s3:::models/prod/*"
      ReadRecords        = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry"
      UseKey             = "arn:aws:kms:eu-west-1:123456789012:key/registry"
      WriteLogOfSessions = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/serving/exec:*"
    }
    error_message = "The task role reaches other things than the registry and sessions."
  }

  assert {
    condition = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement :
    [for action in flatten([statement.Action]) : can(regex("^(dynamodb:(BatchGetItem|GetItem|Query)|kms:Decrypt|logs:.*|s3:(GetObject|ListBucket)|ssmmessages:.*)$", action))]]))
    error_message = "The task role may do more than read."
  }

  assert {
    condition = (
      toset(one([for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement if statement.Sid == "ReadRecords"]).Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"]) ==
      toset(["registry", "endpoint#ecs/serving/*", "model#fraud-*", "model#risk"])
    )
    error_message = "The server reads records of models that are not its own."
  }

  assert {
    condition     = contains(one([for statement in jsondecode(aws_iam_role_policy.task["search"].policy).Statement : statement if statement.Sid == "ReadRecords"]).Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "model#*")
    error_message = "A server without patterns does not read all models."
  }

  assert {
    condition     = one([for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement if statement.Sid == "ListArtifacts"]).Condition.StringLike["s3:prefix"] == "prod/*"
    error_message = "Other prefixes of the bucket may be listed."
  }

  assert {
    condition = alltrue([for role in [aws_iam_role.execution["fraud"], aws_iam_role.task["fraud"]] :
      jsondecode(role.assume_role_policy).Statement[0].Principal.Service == "ecs-tasks.amazonaws.com" &&
      jsondecode(role.assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012" &&
      jsondecode(role.assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:ecs:eu-west-1:123456789012:*"
    ])
    error_message = "ECS may take the roles on behalf of others."
  }

  assert {
    condition = output.servers.fraud == {
      execution_role_arn = "arn:aws:iam::123456789012:role/serving-fraud-execution"
      log_group          = "/ecs/serving/servers/fraud"
      security_group_id  = null
      task_role_arn      = "arn:aws:iam::123456789012:role/serving-fraud-task"
    }
    error_message = "The roles are not told."
  }
}

run "a_registry_in_another_region_is_read_there" {
  command = plan
  variables {
    exec     = null
    registry = { bucket = "models", kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/registry", region = "eu-central-1", table = "registry" }
    servers  = { fraud = {} }
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement.Resource if statement.Sid == "ReadRecords"] == ["arn:aws:dynamodb:eu-central-1:123456789012:table/registry"]
    error_message = "The table is looked for where it is not."
  }

  assert {
    condition     = contains(one([for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement if statement.Sid == "ReadRecords"]).Condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"], "endpoint#ecs/eu-west-1/serving/*")
    error_message = "Endpoints here are read by the ids that those of the registry's region have."
  }

  assert {
    condition     = toset(one([for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement if statement.Sid == "UseKey"]).Condition.StringEquals["kms:ViaService"]) == toset(["dynamodb.eu-central-1.amazonaws.com", "s3.eu-central-1.amazonaws.com"])
    error_message = "The key is used elsewhere than it is."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : !contains(["OpenSessions", "WriteLogOfSessions"], statement.Sid)])
    error_message = "Sessions are admitted though there are none."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.task["fraud"].policy).Statement : statement.Resource if statement.Sid == "ReadArtifacts"] == ["arn:aws:s3:::models/*"]
    error_message = "Artifacts are looked for where they are not."
  }
}

run "instances_are_a_group_that_ecs_sizes_protects_and_drains" {
  command = apply
  variables {
    network   = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a", "subnet-0b"] }
    instances = { cpu = { types = ["m7i.large"], max = 3 } }
    tags      = { team = "ml" }
  }

  assert {
    condition = (
      aws_ecs_capacity_provider.instances["cpu"].name == "serving-cpu" &&
      aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].auto_scaling_group_arn == aws_autoscaling_group.instances["cpu"].arn &&
      aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].managed_draining == "ENABLED" &&
      aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].managed_termination_protection == "ENABLED" &&
      aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].managed_scaling[0].status == "ENABLED" &&
      aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].managed_scaling[0].target_capacity == 100
    )
    error_message = "ECS does not size, protect and drain the group."
  }

  assert {
    condition     = aws_autoscaling_group.instances["cpu"].protect_from_scale_in && aws_autoscaling_group.instances["cpu"].min_size == 0 && aws_autoscaling_group.instances["cpu"].max_size == 3 && aws_autoscaling_group.instances["cpu"].vpc_zone_identifier == toset(["subnet-0a", "subnet-0b"])
    error_message = "The group is not as it was asked for: without protection of its instances ECS refuses the capacity provider."
  }

  assert {
    condition = { for tag in aws_autoscaling_group.instances["cpu"].tag : tag.key => tag.value if tag.propagate_at_launch } == {
      AmazonECSManaged = ""
      Name             = "serving-cpu"
      team             = "ml"
    }
    error_message = "Instances have not the tags of ECS and of the user."
  }

  assert {
    condition = (
      length(aws_autoscaling_group.instances["cpu"].mixed_instances_policy) == 0 &&
      aws_autoscaling_group.instances["cpu"].launch_template[0].id == aws_launch_template.instances["cpu"].id &&
      aws_launch_template.instances["cpu"].instance_type == "m7i.large"
    )
    error_message = "One type on demand is not launched from the template alone."
  }

  assert {
    condition     = aws_launch_template.instances["cpu"].image_id == "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id"
    error_message = "Instances do not take the newest AMI of AWS for ECS."
  }

  assert {
    condition     = aws_launch_template.instances["cpu"].metadata_options[0].http_tokens == "required" && aws_launch_template.instances["cpu"].metadata_options[0].http_put_response_hop_limit == 1
    error_message = "Containers reach the instance's credentials."
  }

  assert {
    condition = (
      aws_launch_template.instances["cpu"].block_device_mappings[0].ebs[0].encrypted == "true" &&
      aws_launch_template.instances["cpu"].block_device_mappings[0].ebs[0].volume_size == 50 &&
      aws_launch_template.instances["cpu"].block_device_mappings[0].ebs[0].volume_type == "gp3" &&
      aws_launch_template.instances["cpu"].tag_specifications[0].tags["team"] == "ml"
    )
    error_message = "The volume is not encrypted, not of its size or not tagged."
  }

  assert {
    condition     = base64decode(aws_launch_template.instances["cpu"].user_data) == <<-EOT
      #!/bin/bash
      cat >>/etc/ecs/ecs.config <<'END'
      ECS_CLUSTER=serving
      ECS_AWSVPC_BLOCK_IMDS=true
      ECS_ENABLE_AWSLOGS_EXECUTIONROLE_OVERRIDE=true
      ECS_ENABLE_TASK_IAM_ROLE=true
      ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=true
      END
    EOT
    error_message = "The agent is not told its cluster and its settings."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.instances["instances"].policy).Statement : statement.Sid => statement.Resource } == {
      FindEndpoint = "*"
      JoinCluster  = "arn:aws:ecs:eu-west-1:123456789012:cluster/serving"
      TagOnJoining = "arn:aws:ecs:eu-west-1:123456789012:container-instance/serving/*"
      TakeTasks    = "arn:aws:ecs:eu-west-1:123456789012:container-instance/serving/*"
    }
    error_message = "The agent may do something in other clusters, or something else."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 0 && aws_vpc_security_group_egress_rule.instances_ipv4["cpu"].from_port == 443 && aws_vpc_security_group_egress_rule.instances_ipv6["cpu"].to_port == 443
    error_message = "The instances are open to somebody, or may leave otherwise than by TLS."
  }

  assert {
    condition     = aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["FARGATE", "FARGATE_SPOT", "serving-cpu"]) && output.capacity_providers.cpu == "serving-cpu"
    error_message = "The cluster has not the capacity of the instances."
  }

  assert {
    condition     = output.instances.cpu == { autoscaling_group_name = "serving-cpu", security_group_id = aws_security_group.instances["cpu"].id }
    error_message = "The group is not told."
  }
}

run "instances_may_be_the_default_and_open_to_clients" {
  command = plan
  variables {
    network          = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a"] }
    cluster          = { fargate = [] }
    default_strategy = { cpu = { base = 1 } }
    instances = {
      cpu = {
        clients                = { alb = "sg-0a1b2c3d" }
        max                    = 4
        min                    = 1
        refresh                = { min_healthy_percent = 90 }
        security_group_ids     = { database = "sg-1a1b2c3d" }
        target_percent         = 80
        termination_protection = false
        types                  = ["m7g.large"]
        ami                    = { kind = "arm64" }
        warm_pool              = { max_prepared = 4, min = 2 }
      }
    }
  }

  assert {
    condition     = one(aws_ecs_cluster_capacity_providers.this.default_capacity_provider_strategy).capacity_provider == "serving-cpu" && aws_ecs_cluster_capacity_providers.this.capacity_providers == toset(["serving-cpu"])
    error_message = "A service that says nothing does not run on the instances."
  }

  assert {
    condition     = aws_vpc_security_group_ingress_rule.clients["cpu/alb"].referenced_security_group_id == "sg-0a1b2c3d" && aws_vpc_security_group_ingress_rule.clients["cpu/alb"].from_port == 32768 && aws_vpc_security_group_ingress_rule.clients["cpu/alb"].to_port == 65535
    error_message = "The load balancer does not reach the ports of containers."
  }

  assert {
    condition = (
      aws_autoscaling_group.instances["cpu"].warm_pool[0].pool_state == "Stopped" &&
      aws_autoscaling_group.instances["cpu"].warm_pool[0].min_size == 2 &&
      aws_autoscaling_group.instances["cpu"].warm_pool[0].max_group_prepared_capacity == 4 &&
      !aws_autoscaling_group.instances["cpu"].warm_pool[0].instance_reuse_policy[0].reuse_on_scale_in
    )
    error_message = "The warm pool is not as it was asked for."
  }

  assert {
    condition     = strcontains(base64decode(local.user_data["cpu"]), "ECS_WARM_POOLS_CHECK=true")
    error_message = "Instances in the pool take tasks."
  }

  assert {
    condition = (
      aws_autoscaling_group.instances["cpu"].instance_refresh[0].preferences[0].min_healthy_percentage == 90 &&
      aws_autoscaling_group.instances["cpu"].instance_refresh[0].preferences[0].max_healthy_percentage == 100 &&
      aws_autoscaling_group.instances["cpu"].instance_refresh[0].preferences[0].scale_in_protected_instances == "Refresh"
    )
    error_message = "A changed template does not reach the instances."
  }

  assert {
    condition     = !aws_autoscaling_group.instances["cpu"].protect_from_scale_in && aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].managed_termination_protection == "DISABLED" && aws_ecs_capacity_provider.instances["cpu"].auto_scaling_group_provider[0].managed_scaling[0].target_capacity == 80
    error_message = "Protection or room is not as it was asked for."
  }

  assert {
    condition     = aws_launch_template.instances["cpu"].image_id == "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id"
    error_message = "Graviton has the AMI of another processor."
  }
}

run "gpus_get_drivers_spot_is_drained_and_types_keep_their_order" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a"] }
    instances = {
      gpu = {
        ami         = { kind = "gpu" }
        max         = 8
        root_volume = { gib = 200, iops = 6000, kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/ebs" }, throughput_mib = 1000 }
        spot        = { on_demand_base = 1, on_demand_percent = 25 }
        types       = ["g6.xlarge", "g5.xlarge"]
      }
      neuron = { ami = { kind = "neuron" }, max = 1, types = ["inf2.xlarge"] }
      own    = { ami = { id = "ami-0a1b2c3d4e5f60718", kind = "gpu" }, max = 1, types = ["g5g.xlarge"] }
    }
  }

  assert {
    condition = { for name, template in aws_launch_template.instances : name => template.image_id } == {
      gpu    = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id"
      neuron = "resolve:ssm:/aws/service/ecs/optimized-ami/amazon-linux-2023/inf/recommended/image_id"
      own    = "ami-0a1b2c3d4e5f60718"
    }
    error_message = "An accelerator has an AMI without its driver."
  }

  assert {
    condition     = [for override in aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].launch_template[0].override : override.instance_type] == ["g6.xlarge", "g5.xlarge"] && aws_launch_template.instances["gpu"].instance_type == null
    error_message = "Types are not in the order of preference."
  }

  assert {
    condition = (
      aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].instances_distribution[0].on_demand_base_capacity == 1 &&
      aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 25 &&
      aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].instances_distribution[0].on_demand_allocation_strategy == "prioritized"
    )
    error_message = "Spot is not as it was asked for."
  }

  assert {
    condition     = strcontains(base64decode(local.user_data["gpu"]), "ECS_ENABLE_SPOT_INSTANCE_DRAINING=true") && strcontains(base64decode(local.user_data["gpu"]), "ECS_ENABLE_GPU_SUPPORT=true")
    error_message = "Tasks get no GPU, or are cut off when Spot is taken back."
  }

  assert {
    condition = (
      aws_launch_template.instances["gpu"].block_device_mappings[0].ebs[0].volume_size == 200 &&
      aws_launch_template.instances["gpu"].block_device_mappings[0].ebs[0].iops == 6000 &&
      aws_launch_template.instances["gpu"].block_device_mappings[0].ebs[0].throughput == 1000 &&
      aws_launch_template.instances["gpu"].block_device_mappings[0].ebs[0].kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/ebs"
    )
    error_message = "The volume is not as it was asked for."
  }
}

run "instances_by_their_attributes_are_of_one_architecture_and_have_the_accelerators" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d", subnet_ids = ["subnet-0a"] }
    instances = {
      cpu = { attributes = { excluded_types = ["m5*"], memory_mib = { max = 16384, min = 8192 }, vcpus = { min = 2 } }, max = 3 }
      gpu = { ami = { kind = "gpu" }, attributes = { accelerators = { max = 1 }, memory_mib = { min = 16384 }, vcpus = { max = 8, min = 4 } }, max = 3 }
    }
  }

  assert {
    condition = (
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].cpu_manufacturers == toset(["amd", "intel"]) &&
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].accelerator_count[0].max == 0 &&
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].memory_mib[0].min == 8192 && aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].memory_mib[0].max == 16384 &&
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].vcpu_count[0].min == 2 &&
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].excluded_instance_types == toset(["m5*"])
    )
    error_message = "Instances are not as they were asked for, or have accelerators that nobody uses."
  }

  assert {
    condition = (
      aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].accelerator_count[0].min == 1 && aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].accelerator_count[0].max == 1 &&
      aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].accelerator_manufacturers == toset(["nvidia"]) && aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].accelerator_types == toset(["gpu"]) &&
      aws_autoscaling_group.instances["gpu"].mixed_instances_policy[0].launch_template[0].override[0].instance_requirements[0].vcpu_count[0].max == 8
    )
    error_message = "Instances have not the GPU that was asked for."
  }

  assert {
    condition = (
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].instances_distribution[0].on_demand_allocation_strategy == "lowest-price" &&
      aws_autoscaling_group.instances["cpu"].mixed_instances_policy[0].instances_distribution[0].on_demand_percentage_above_base_capacity == 100
    )
    error_message = "Attributes have no order, and Spot was not asked for."
  }
}

run "machines_of_ones_own_get_an_activation_whose_code_is_in_a_secret_only" {
  command = apply
  variables {
    anywhere = {
      activations = { plant = { expires = "2025-06-30T12:00:00Z", machines = 5 } }
      kms_key     = { arn = "arn:aws:kms:eu-west-1:123456789012:key/secrets" }
    }
  }

  assert {
    condition     = aws_ssm_activation.anywhere["plant"].iam_role == "serving-external" && aws_ssm_activation.anywhere["plant"].expiration_date == "2025-06-30T12:00:00Z" && aws_ssm_activation.anywhere["plant"].registration_limit == 5
    error_message = "The activation is not as it was asked for."
  }

  assert {
    condition     = aws_secretsmanager_secret.activation["plant"].kms_key_id == "arn:aws:kms:eu-west-1:123456789012:key/secrets" && aws_secretsmanager_secret_version.activation["plant"].secret_id == aws_secretsmanager_secret.activation["plant"].id && aws_secretsmanager_secret_version.activation["plant"].secret_string == null
    error_message = "The code is in no secret, or in a state twice."
  }

  assert {
    condition     = !strcontains(jsonencode(output.anywhere), aws_ssm_activation.anywhere["plant"].activation_code) && output.anywhere.activations.plant.id == aws_ssm_activation.anywhere["plant"].id && output.anywhere.activations.plant.secret_arn == aws_secretsmanager_secret.activation["plant"].arn
    error_message = "The code is told, or where it is is not."
  }

  assert {
    condition = (
      jsondecode(aws_iam_role.external["anywhere"].assume_role_policy).Statement[0].Principal.Service == "ssm.amazonaws.com" &&
      jsondecode(aws_iam_role.external["anywhere"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012" &&
      jsondecode(aws_iam_role.external["anywhere"].assume_role_policy).Statement[0].Condition.ArnLike["aws:SourceArn"] == "arn:aws:ssm:eu-west-1:123456789012:*"
    )
    error_message = "Others than Systems Manager in this account take the role."
  }

  assert {
    condition = (
      one([for statement in jsondecode(aws_iam_role_policy.external["anywhere"].policy).Statement : statement.Resource if statement.Sid == "JoinCluster"]) == "arn:aws:ecs:eu-west-1:123456789012:cluster/serving" &&
      aws_iam_role_policy_attachment.external["anywhere"].policy_arn == "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    )
    error_message = "The machines may not join the cluster, or not be managed."
  }
}

run "machines_keep_their_role_when_activations_are_gone" {
  command = plan
  variables { anywhere = {} }

  assert {
    condition     = length(aws_iam_role.external) == 1 && length(aws_ssm_activation.anywhere) == 0 && length(aws_secretsmanager_secret.activation) == 0
    error_message = "Machines lose their role, or get an activation that nobody asked for."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.log_group == "/ecs/serving/exec"
    error_message = "What is known is lost."
  }
}

run "tasks_of_a_server_are_reached_by_its_clients_on_the_port_of_the_model_server" {
  command = plan
  variables {
    network = { vpc_id = "vpc-0a1b2c3d4e5f60718", subnet_ids = ["subnet-0a1b2c3d4e5f60718"] }
    servers = {
      fraud  = { clients = { alb = "sg-0a1b2c3d4e5f60718", jobs = "sg-1a1b2c3d4e5f60718" } }
      search = {}
    }
    tags = { team = "ml" }
  }

  assert {
    condition     = { for name, group in aws_security_group.servers : name => [group.name, group.vpc_id, group.tags["team"]] } == { fraud = ["serving-fraud-server", "vpc-0a1b2c3d4e5f60718", "ml"], search = ["serving-search-server", "vpc-0a1b2c3d4e5f60718", "ml"] }
    error_message = "A server has no security group of its own."
  }

  assert {
    condition = { for name, rule in aws_vpc_security_group_ingress_rule.server_clients : name => [rule.referenced_security_group_id, rule.from_port, rule.to_port, rule.ip_protocol] } == {
      "fraud/alb"  = ["sg-0a1b2c3d4e5f60718", 8080, 8080, "tcp"]
      "fraud/jobs" = ["sg-1a1b2c3d4e5f60718", 8080, 8080, "tcp"]
    }
    error_message = "Others than the clients reach the tasks, or they reach another port."
  }

  assert {
    condition     = alltrue([for rule in concat(values(aws_vpc_security_group_egress_rule.servers_ipv4), values(aws_vpc_security_group_egress_rule.servers_ipv6)) : rule.from_port == 443 && rule.to_port == 443])
    error_message = "Tasks reach more than APIs."
  }
}

run "without_a_network_a_server_has_no_security_group" {
  command = apply
  variables { servers = { fraud = {} } }

  assert {
    condition     = length(aws_security_group.servers) == 0 && output.servers["fraud"].security_group_id == null && length(aws_vpc_security_group_egress_rule.servers_ipv4) == 0
    error_message = "There is a security group that no VPC has."
  }
}
