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
      WriteLogs      = "arn:aws:logs:eu-west-1:123456789012:log-group:/ecs/serving/servers/fraud:*"
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
