# What is planned and, where only an apply tells, made.

provider "aws" {
  region = "eu-west-1"
}

variables {
  name = "serving"
}

run "the_least_configuration_is_an_encrypted_topic_that_services_of_this_account_reach" {
  command = apply

  assert {
    condition     = keys(output.topics) == ["alerts"] && aws_sns_topic.this["alerts"].name == "serving-alerts" && aws_sns_topic.this["alerts"].signature_version == 2
    error_message = "The topic is not there."
  }

  assert {
    condition     = aws_sns_topic.this["alerts"].kms_master_key_id == aws_kms_key.topics["topics"].arn && aws_kms_key.topics["topics"].enable_key_rotation && output.kms_key_arn == aws_kms_key.topics["topics"].arn
    error_message = "The topic is not encrypted with the module's key."
  }

  assert {
    condition = alltrue([for statement in jsondecode(aws_sns_topic_policy.this["alerts"].policy).Statement :
    statement.Resource == aws_sns_topic.this["alerts"].arn])
    error_message = "The topic's policy speaks of other topics."
  }

  assert {
    condition = {
      for statement in jsondecode(aws_sns_topic_policy.this["alerts"].policy).Statement : statement.Sid => try(statement.Condition.StringEquals["aws:SourceAccount"], "any")
      if contains(["Alarms", "Alertmanager", "Events"], statement.Sid)
    } == { Alarms = "123456789012", Alertmanager = "123456789012", Events = "any" }
    error_message = "Services publish for other accounts, or EventBridge meets a condition that it cannot fulfil."
  }

  assert {
    condition = one([for statement in jsondecode(aws_sns_topic_policy.this["alerts"].policy).Statement : statement.Condition.Bool["aws:SecureTransport"]
    if statement.Effect == "Deny"]) == "false"
    error_message = "The topic takes messages without TLS."
  }

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_kms_key.topics["topics"].policy).Statement : try(statement.Principal.Service, [])
    ])) == toset(["cloudwatch.amazonaws.com", "aps.amazonaws.com", "events.amazonaws.com"])
    error_message = "A service may publish, but not encrypt: its messages would be lost."
  }

  assert {
    condition     = output.alertmanager == null && length(aws_lambda_function.slack) == 0 && length(aws_cloudwatch_event_rule.this) == 0 && length(aws_chatbot_slack_channel_configuration.this) == 0
    error_message = "Something is made that nobody asked for."
  }
}

run "addresses_are_subscriptions_by_name" {
  command = plan
  variables {
    topics = { page = { title = "Page", emails = { oncall = "oncall@example.com" } }, ticket = { emails = { oncall = "oncall@example.com", "team" = "o'neil+ml@sub.example.co.uk" } } }
  }

  assert {
    condition     = { for name, subscription in aws_sns_topic_subscription.emails : name => "${subscription.protocol} ${subscription.endpoint}" } == { "page/oncall" = "email oncall@example.com", "ticket/oncall" = "email oncall@example.com", "ticket/team" = "email o'neil+ml@sub.example.co.uk" }
    error_message = "Subscriptions are not one for each topic and address."
  }

  assert {
    condition     = aws_sns_topic.this["page"].display_name == "Page"
    error_message = "The sender has no name."
  }
}

run "a_key_of_others_is_used_and_none_is_made" {
  command = plan
  variables { kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1" } }

  assert {
    condition     = aws_sns_topic.this["alerts"].kms_master_key_id == "arn:aws:kms:eu-west-1:123456789012:key/1" && length(aws_kms_key.topics) == 0 && output.kms_key_arn == "arn:aws:kms:eu-west-1:123456789012:key/1"
    error_message = "The key is not the one that was given."
  }
}

run "chatbot_reads_cloudwatch_and_nothing_else" {
  command = apply
  variables {
    topics  = { page = {}, ticket = {} }
    chatbot = { incidents = { workspace_id = "T0A1B2C3D4", channel_id = "C0A1B2C3D4", topics = ["page"] } }
  }

  assert {
    condition     = aws_chatbot_slack_channel_configuration.this["incidents"].sns_topic_arns == toset([output.topics.page])
    error_message = "The channel hears of other topics."
  }

  assert {
    condition     = aws_chatbot_slack_channel_configuration.this["incidents"].guardrail_policy_arns == tolist(["arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"]) && aws_iam_role_policy_attachment.chatbot["incidents"].policy_arn == "arn:aws:iam::aws:policy/CloudWatchReadOnlyAccess"
    error_message = "People in the channel may do more than read CloudWatch."
  }

  assert {
    condition     = jsondecode(aws_iam_role.chatbot["incidents"].assume_role_policy).Statement[0].Condition.StringEquals["aws:SourceAccount"] == "123456789012"
    error_message = "Chatbot of another account may take the role."
  }
}

run "a_webhook_is_a_function_that_reads_one_secret" {
  command = apply
  variables {
    topics   = { page = {}, ticket = {} }
    logging  = { retention_days = 30 }
    webhooks = { models = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf", kms_key = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1" }, topics = ["page", "ticket"] } }
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.slack["models"].policy).Statement : statement.Sid => statement.Resource } == {
      ReadTheAddress    = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf"
      DecryptTheAddress = "arn:aws:kms:eu-west-1:123456789012:key/1"
      WriteLogs         = "${aws_cloudwatch_log_group.slack["models"].arn}:*"
    }
    error_message = "The function may more than read its secret and write its log."
  }

  assert {
    condition     = aws_lambda_function.slack["models"].environment[0].variables == tomap({ SECRET_ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack-AbCdEf" })
    error_message = "The function is told something else than the secret's ARN."
  }

  assert {
    condition     = toset([for permission in aws_lambda_permission.slack : permission.source_arn]) == toset(values(output.topics)) && alltrue([for name, subscription in aws_sns_topic_subscription.slack : subscription.protocol == "lambda"])
    error_message = "Not each of its topics, or something else, calls the function."
  }

  assert {
    condition     = aws_cloudwatch_log_group.slack["models"].retention_in_days == 30 && aws_lambda_function.slack["models"].logging_config[0].log_group == "/aws/lambda/serving-slack-models"
    error_message = "The log has no end."
  }
}

run "a_webhook_without_a_customers_key_decrypts_nothing" {
  command = apply
  variables {
    webhooks = { models = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:slack", topics = ["alerts"] } }
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.slack["models"].policy).Statement : statement.Sid] == ["ReadTheAddress", "WriteLogs"]
    error_message = "The function may use a key."
  }
}

run "events_are_matched_by_kind_and_names" {
  command = plan
  variables {
    events = {
      failed    = { kind = "ecs-deployment-failed", names = ["serving"], topic = "alerts" }
      completed = { kind = "ecs-deployment-completed", topic = "alerts" }
      tasks     = { kind = "ecs-task-stopped", names = ["serving"], topic = "alerts" }
      pipelines = { kind = "pipeline-failed", names = ["train"], topic = "alerts" }
      passed    = { kind = "pipeline-succeeded", topic = "alerts" }
      approvals = { kind = "pipeline-approval", topic = "alerts" }
      artifacts = { kind = "registry-artifact-written", names = ["models"], topic = "alerts" }
      pushed    = { kind = "registry-image-pushed", names = ["server"], topic = "alerts" }
      findings  = { kind = "registry-image-vulnerable", topic = "alerts" }
    }
  }

  assert {
    condition = jsondecode(aws_cloudwatch_event_rule.this["failed"].event_pattern) == {
      source = ["aws.ecs"], detail-type = ["ECS Deployment State Change"], detail = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] }, resources = [{ wildcard = "arn:*:service/serving/*" }]
    }
    error_message = "Deployments of a cluster are not what is matched."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["completed"].event_pattern) == { source = ["aws.ecs"], detail-type = ["ECS Deployment State Change"], detail = { eventName = ["SERVICE_DEPLOYMENT_COMPLETED"] } }
    error_message = "Completed deployments are not what is matched."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["tasks"].event_pattern).detail.clusterArn == [{ suffix = ":cluster/serving" }] && jsondecode(aws_cloudwatch_event_rule.this["tasks"].event_pattern).detail.lastStatus == ["STOPPED"]
    error_message = "Stopped tasks of a cluster are not what is matched."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["pipelines"].event_pattern).detail == { pipeline = ["train"], state = ["FAILED"] } && jsondecode(aws_cloudwatch_event_rule.this["passed"].event_pattern).detail == { state = ["SUCCEEDED"] }
    error_message = "Pipelines are not what is matched."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["approvals"].event_pattern).detail == { state = ["STARTED"], type = { category = ["Approval"] } }
    error_message = "Approvals are not what is matched."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["artifacts"].event_pattern) == { source = ["aws.s3"], detail-type = ["Object Created"], detail = { bucket = { name = ["models"] } } }
    error_message = "Artifacts are not what is matched."
  }

  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.this["pushed"].event_pattern).detail == { action-type = ["PUSH"], result = ["SUCCESS"], repository-name = ["server"] } && jsondecode(aws_cloudwatch_event_rule.this["findings"].event_pattern).detail == { finding-severity-counts = { CRITICAL = [{ numeric = [">", 0] }] } }
    error_message = "Images are not what is matched."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.role_arn == null])
    error_message = "A target has a role, which fails on encrypted topics."
  }
}

run "events_of_the_registry_are_read_from_its_stream" {
  command = apply
  variables {
    events = {
      models    = { kind = "registry-model-changed", topic = "alerts" }
      endpoints = { kind = "registry-endpoint-changed", names = ["ecs/serving/fraud"], topic = "alerts" }
      findings  = { kind = "registry-image-vulnerable", topic = "alerts" }
    }
    registry_stream = { arn = "arn:aws:dynamodb:eu-west-1:123456789012:table/registry/stream/2026-01-01T00:00:00.000", kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555" }
  }

  assert {
    condition = { for name, pipe in aws_pipes_pipe.registry : name => jsondecode(pipe.source_parameters[0].filter_criteria[0].filter[0].pattern) } == {
      endpoints = { eventName = ["INSERT"], dynamodb = { Keys = { PK = { S = ["events#endpoint#ecs/serving/fraud"] } } } }
      models    = { eventName = ["INSERT"], dynamodb = { Keys = { PK = { S = [{ prefix = "events#model#" }] } } } }
    } && keys(aws_cloudwatch_event_rule.this) == ["findings"]
    error_message = "Events of the registry are not what is matched."
  }

  # Put as a pipe puts it: what stands in quotes is text within them, and the document gets quotes of its own.
  assert {
    condition = jsondecode(replace(replace(aws_pipes_pipe.registry["models"].target_parameters[0].input_template, "<$.dynamodb.Keys.PK.S>", "events#model#fraud"), "<$.dynamodb.NewImage.doc.S>", jsonencode(jsonencode({ kind = "version.archived" })))) == {
      version = "1.0", source = "custom", content = { textType = "client-markdown", title = "registry: events#model#fraud", description = jsonencode({ kind = "version.archived" }) }
    }
    error_message = "A message is not of the form that Chatbot and the function know."
  }

  assert {
    condition = { for statement in jsondecode(aws_iam_role_policy.registry["models"].policy).Statement : statement.Sid => statement.Resource } == {
      ReadStream = var.registry_stream.arn, DecryptStream = var.registry_stream.kms_key_arn, Publish = aws_sns_topic.this["alerts"].arn, EncryptMessages = aws_kms_key.topics["topics"].arn
    }
    error_message = "The pipe may do something else."
  }

  assert {
    condition     = jsondecode(aws_iam_role.registry["models"].assume_role_policy).Statement[0].Condition.ArnEquals["aws:SourceArn"] == "arn:aws:pipes:eu-west-1:123456789012:pipe/serving-models"
    error_message = "Another pipe may take the role."
  }
}

run "alertmanager_routes_to_topics_and_stays_silent_in_quiet_hours" {
  command = apply
  variables {
    topics      = { page = {}, ticket = {} }
    quiet_hours = { nights = { times = [{ start = "00:00", end = "07:00" }], weekdays = ["sunday"], time_zone = "Europe/Berlin" } }
    alertmanager = {
      topic  = "ticket"
      routes = [{ matchers = ["severity=\"critical\""], topic = "page", continue = true }, { matchers = ["severity=\"info\""], topic = "ticket", quiet_hours = ["nights"] }]
    }
  }

  assert {
    condition     = yamldecode(output.alertmanager.config).route.receiver == "ticket" && yamldecode(output.alertmanager.config).route.routes[0] == { receiver = "page", matchers = ["severity=\"critical\""], continue = true }
    error_message = "Routes are not in their order."
  }

  assert {
    condition     = yamldecode(output.alertmanager.config).route.routes[1].mute_time_intervals == ["nights"]
    error_message = "The route is not silent."
  }

  assert {
    condition     = yamldecode(output.alertmanager.config).time_intervals == [{ name = "nights", time_intervals = [{ location = "Europe/Berlin", times = [{ start_time = "00:00", end_time = "07:00" }], weekdays = ["sunday"] }] }]
    error_message = "The window is not the one that was given."
  }

  assert {
    condition     = { for receiver in yamldecode(output.alertmanager.config).receivers : receiver.name => receiver.sns_configs[0].topic_arn } == output.topics
    error_message = "Receivers are not the topics."
  }

  assert {
    condition     = yamldecode(output.alertmanager.definition).alertmanager_config == output.alertmanager.config
    error_message = "The definition for Amazon Managed Prometheus is not the same configuration."
  }
}

run "values_that_only_an_apply_knows_are_planned" {
  command = plan

  module {
    source = "./tests/unknown"
  }

  assert {
    condition     = output.topics == ["page"]
    error_message = "What is known is lost."
  }
}
