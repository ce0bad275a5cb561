locals {
  # Those of the registry itself are in registry_events.tf.
  rules = { for name, event in var.events : name => event if contains(keys(local._patterns), event.kind) }

  # What EventBridge matches, without the names.
  _patterns = {
    ecs-deployment-failed     = { source = ["aws.ecs"], detail-type = ["ECS Deployment State Change"], detail = { eventName = ["SERVICE_DEPLOYMENT_FAILED"] } }
    ecs-deployment-completed  = { source = ["aws.ecs"], detail-type = ["ECS Deployment State Change"], detail = { eventName = ["SERVICE_DEPLOYMENT_COMPLETED"] } }
    ecs-task-stopped          = { source = ["aws.ecs"], detail-type = ["ECS Task State Change"], detail = { lastStatus = ["STOPPED"], stopCode = ["EssentialContainerExited", "TaskFailedToStart", "SpotInterruption", "TerminationNotice"] } }
    pipeline-failed           = { source = ["aws.codepipeline"], detail-type = ["CodePipeline Pipeline Execution State Change"], detail = { state = ["FAILED"] } }
    pipeline-succeeded        = { source = ["aws.codepipeline"], detail-type = ["CodePipeline Pipeline Execution State Change"], detail = { state = ["SUCCEEDED"] } }
    pipeline-approval         = { source = ["aws.codepipeline"], detail-type = ["CodePipeline Action Execution State Change"], detail = { state = ["STARTED"], type = { category = ["Approval"] } } }
    registry-artifact-written = { source = ["aws.s3"], detail-type = ["Object Created"], detail = {} }
    registry-image-pushed     = { source = ["aws.ecr"], detail-type = ["ECR Image Action"], detail = { action-type = ["PUSH"], result = ["SUCCESS"] } }
    registry-image-vulnerable = { source = ["aws.ecr"], detail-type = ["ECR Image Scan"], detail = { finding-severity-counts = { CRITICAL = [{ numeric = [">", 0] }] } } }
  }

  # Where an event has the names; as text, because each is of another type. A deployment of ECS has its cluster in the service's ARN only.
  _detail_of_names = {
    for name, event in local.rules : name => jsondecode(length(event.names) == 0 || startswith(event.kind, "ecs-deployment-") ? "{}" : {
      ecs-task-stopped          = jsonencode({ clusterArn = [for cluster in event.names : { suffix = ":cluster/${cluster}" }] })
      pipeline-failed           = jsonencode({ pipeline = event.names })
      pipeline-succeeded        = jsonencode({ pipeline = event.names })
      pipeline-approval         = jsonencode({ pipeline = event.names })
      registry-artifact-written = jsonencode({ bucket = { name = event.names } })
      registry-image-pushed     = jsonencode({ repository-name = event.names })
      registry-image-vulnerable = jsonencode({ repository-name = event.names })
    }[event.kind])
  }

  _resources_of_names = {
    for name, event in local.rules : name => [for cluster in event.names : { wildcard = "arn:*:service/${cluster}/*" }] if startswith(event.kind, "ecs-deployment-") && length(event.names) > 0
  }

  event_patterns = {
    for name, event in local.rules : name => jsonencode(merge(
      local._patterns[event.kind],
      { detail = merge(local._patterns[event.kind].detail, local._detail_of_names[name]) },
      { for key, resources in { resources = lookup(local._resources_of_names, name, []) } : key => resources if length(resources) > 0 },
    ))
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  description   = "${each.value.kind} to the topic ${var.name}-${each.value.topic}"
  event_pattern = local.event_patterns[each.key]
  state         = "ENABLED"

  tags = var.tags
}

# Topics admit EventBridge by their policy; a role would be ignored, and fails on encrypted topics.
resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = each.value.topic
  arn       = aws_sns_topic.this[each.value.topic].arn

  depends_on = [aws_sns_topic_policy.this]
}
