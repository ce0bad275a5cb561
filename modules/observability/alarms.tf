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
    { for name, group in var.auto_scaling_groups : "${name}/status" => {
      namespace = "AWS/EC2", metric = "StatusCheckFailed", statistic = "Maximum", percentile = null, dimensions = { AutoScalingGroupName = group.name }
      threshold = 0, above = true, periods = 2, missing = "notBreaching", what = "An instance fails its status checks"
    } },
  )

  _tasks     = { for name, service in var.services : name => { ClusterName = service.cluster, ServiceName = service.service } }
  _instances = { for name, group in var.auto_scaling_groups : name => { AutoScalingGroupName = group.name } }

  # Alarms on several metrics: what is computed of them, and when that is too much. Within a period, what is missing is missing all the time.
  computed_alarms = merge(
    # A share, not a number: what is much for one endpoint is nothing for another.
    { for name, balancer in var.load_balancers : "${name}/errors" => {
      expression = "100 * (FILL(own, 0) + FILL(targets, 0)) / requests", label = "Percent of requests answered with 5xx", threshold = balancer.error_percent, periods = 2
      what       = "More than ${balancer.error_percent}% of the requests are answered with 5xx, by the load balancer or by the targets"
      metrics = { for id, metric in { own = "HTTPCode_ELB_5XX_Count", requests = "RequestCount", targets = "HTTPCode_Target_5XX_Count" } : id => {
        namespace = "AWS/ApplicationELB", metric = metric, statistic = "Sum", dimensions = { LoadBalancer = balancer.arn_suffix }
      } }
    } },
    { for name, service in var.services : "${name}/missing" => {
      expression = "desired - running", label = "Tasks that are desired and do not run", threshold = 0, periods = service.missing_minutes / 5
      what       = "Fewer tasks have been running than are desired, for ${service.missing_minutes} minutes"
      metrics = {
        desired = { namespace = "ECS/ContainerInsights", metric = "DesiredTaskCount", statistic = "Minimum", dimensions = local._tasks[name] }
        running = { namespace = "ECS/ContainerInsights", metric = "RunningTaskCount", statistic = "Maximum", dimensions = local._tasks[name] }
      }
    } if service.missing_minutes > 0 },
    { for name, group in var.auto_scaling_groups : "${name}/instances" => {
      expression = "desired - running", label = "Instances that are desired and not in service", threshold = 0, periods = group.missing_minutes / 5
      what       = "Fewer instances have been in service than are desired, for ${group.missing_minutes} minutes"
      metrics = {
        desired = { namespace = "AWS/AutoScaling", metric = "GroupDesiredCapacity", statistic = "Minimum", dimensions = local._instances[name] }
        running = { namespace = "AWS/AutoScaling", metric = "GroupInServiceInstances", statistic = "Maximum", dimensions = local._instances[name] }
      }
    } if group.missing_minutes > 0 },
    { for name, group in var.auto_scaling_groups : "${name}/largest" => {
      expression = "1 + desired - largest", label = "Above 0 when the group cannot grow", threshold = 0, periods = group.largest_minutes / 5
      what       = "The group has been as large as it may become for ${group.largest_minutes} minutes: it cannot grow"
      metrics = {
        desired = { namespace = "AWS/AutoScaling", metric = "GroupDesiredCapacity", statistic = "Minimum", dimensions = local._instances[name] }
        largest = { namespace = "AWS/AutoScaling", metric = "GroupMaxSize", statistic = "Maximum", dimensions = local._instances[name] }
      }
    } if group.largest_minutes > 0 },
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

resource "aws_cloudwatch_metric_alarm" "computed" {
  for_each = local.computed_alarms

  alarm_name          = "${var.name}/${each.key}"
  alarm_description   = each.value.what
  evaluation_periods  = each.value.periods
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  treat_missing_data  = "notBreaching"
  actions_enabled     = true
  alarm_actions       = local._topic_arns
  ok_actions          = local._topic_arns

  metric_query {
    id          = "result"
    expression  = each.value.expression
    label       = each.value.label
    return_data = true
  }

  dynamic "metric_query" {
    for_each = each.value.metrics
    content {
      id          = metric_query.key
      return_data = false

      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.metric
        dimensions  = metric_query.value.dimensions
        period      = 300
        stat        = metric_query.value.statistic
      }
    }
  }

  tags = var.tags
}
