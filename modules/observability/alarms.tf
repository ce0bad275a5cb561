locals {
  _topic_arns = values(var.alarms.topic_arns)

  _unhealthy = merge([for name, balancer in var.load_balancers : { for group, suffix in balancer.target_groups : "${name}/${group}" => { balancer = balancer.arn_suffix, group = suffix } }]...)

  # Alarms on one metric: what, its dimensions, and when.
  alarms = merge(
    { for name, balancer in var.load_balancers : "${name}/latency" => {
      namespace = "AWS/ApplicationELB", metric = "TargetResponseTime", statistic = null, percentile = "p99", dimensions = { LoadBalancer = balancer.arn_suffix }
      threshold = balancer.latency_seconds, above = true, periods = 3, missing = "notBreaching", what = "The 99th percentile of the targets' answers is above ${balancer.latency_seconds} s"
    } },
    { for name, balancer in var.load_balancers : "${name}/rejected" => {
      namespace = "AWS/ApplicationELB", metric = "RejectedConnectionCount", statistic = "Sum", percentile = null, dimensions = { LoadBalancer = balancer.arn_suffix }
      threshold = 0, above = true, periods = 1, missing = "notBreaching", what = "The load balancer has reached its most connections and rejects others"
    } },
    { for name, group in local._unhealthy : "${name}/unhealthy" => {
      namespace = "AWS/ApplicationELB", metric = "UnHealthyHostCount", statistic = "Maximum", percentile = null, dimensions = { LoadBalancer = group.balancer, TargetGroup = group.group }
      threshold = 0, above = true, periods = 3, missing = "notBreaching", what = "A target is unhealthy"
    } },
    { for name, service in var.services : "${name}/cpu" => {
      namespace = "AWS/ECS", metric = "CPUUtilization", statistic = "Average", percentile = null, dimensions = { ClusterName = service.cluster, ServiceName = service.service }
      threshold = service.cpu_percent, above = true, periods = 3, missing = "missing", what = "Tasks use more than ${service.cpu_percent}% of the CPU that they were given"
    } },
    { for name, service in var.services : "${name}/memory" => {
      namespace = "AWS/ECS", metric = "MemoryUtilization", statistic = "Average", percentile = null, dimensions = { ClusterName = service.cluster, ServiceName = service.service }
      threshold = service.memory_percent, above = true, periods = 3, missing = "missing", what = "Tasks use more than ${service.memory_percent}% of the memory that they were given"
    } },
    { for name, service in var.services : "${name}/tasks" => {
      namespace = "ECS/ContainerInsights", metric = "RunningTaskCount", statistic = "Minimum", percentile = null, dimensions = { ClusterName = service.cluster, ServiceName = service.service }
      threshold = service.tasks, above = false, periods = 2, missing = "breaching", what = "Fewer than ${coalesce(service.tasks, 0)} tasks are running"
    } if service.tasks != null },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}/${each.key}"
  alarm_description   = each.value.what
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  extended_statistic  = each.value.percentile
  period              = 300
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.above ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  actions_enabled     = true
  alarm_actions       = local._topic_arns
  ok_actions          = local._topic_arns

  tags = var.tags
}

# A share, not a number: what is much for one endpoint is nothing for another.
resource "aws_cloudwatch_metric_alarm" "errors" {
  for_each = var.load_balancers

  alarm_name          = "${var.name}/${each.key}/errors"
  alarm_description   = "More than ${each.value.error_percent}% of the requests are answered with 5xx, by the load balancer or by the targets"
  evaluation_periods  = 2
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.error_percent
  treat_missing_data  = "notBreaching"
  actions_enabled     = true
  alarm_actions       = local._topic_arns
  ok_actions          = local._topic_arns

  metric_query {
    id          = "share"
    expression  = "100 * (FILL(own, 0) + FILL(targets, 0)) / requests"
    label       = "Percent of requests answered with 5xx"
    return_data = true
  }

  dynamic "metric_query" {
    for_each = { own = "HTTPCode_ELB_5XX_Count", requests = "RequestCount", targets = "HTTPCode_Target_5XX_Count" }
    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = "AWS/ApplicationELB"
        metric_name = metric_query.value
        dimensions  = { LoadBalancer = each.value.arn_suffix }
        period      = 300
        stat        = "Sum"
      }
    }
  }

  tags = var.tags
}
