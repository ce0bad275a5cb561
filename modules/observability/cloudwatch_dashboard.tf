data "aws_region" "current" {}

locals {
  # Rows of the dashboard: a title, and the metrics of each of its graphs.
  _graphs = concat(
    flatten([for name, balancer in var.load_balancers : [
      { title = "${name}: requests", stat = "Sum", metrics = [["AWS/ApplicationELB", "RequestCount", "LoadBalancer", balancer.arn_suffix]] },
      { title = "${name}: answers with 5xx", stat = "Sum", metrics = [["AWS/ApplicationELB", "HTTPCode_ELB_5XX_Count", "LoadBalancer", balancer.arn_suffix], ["AWS/ApplicationELB", "HTTPCode_Target_5XX_Count", "LoadBalancer", balancer.arn_suffix]] },
      { title = "${name}: 99th percentile of answers, seconds", stat = "p99", metrics = [["AWS/ApplicationELB", "TargetResponseTime", "LoadBalancer", balancer.arn_suffix]] },
    ]]),
    flatten([for name, service in var.services : [
      { title = "${name}: CPU, percent", stat = "Average", metrics = [["AWS/ECS", "CPUUtilization", "ClusterName", service.cluster, "ServiceName", service.service]] },
      { title = "${name}: memory, percent", stat = "Average", metrics = [["AWS/ECS", "MemoryUtilization", "ClusterName", service.cluster, "ServiceName", service.service]] },
      { title = "${name}: tasks, running and desired", stat = "Minimum", metrics = [for metric in ["RunningTaskCount", "DesiredTaskCount"] : ["ECS/ContainerInsights", metric, "ClusterName", service.cluster, "ServiceName", service.service]] },
    ]]),
    flatten([for name, group in var.auto_scaling_groups : [
      { title = "${name}: instances, in service, desired and at most", stat = "Minimum", metrics = [for metric in ["GroupInServiceInstances", "GroupDesiredCapacity", "GroupMaxSize"] : ["AWS/AutoScaling", metric, "AutoScalingGroupName", group.name]] },
      { title = "${name}: CPU, percent", stat = "Average", metrics = [["AWS/EC2", "CPUUtilization", "AutoScalingGroupName", group.name]] },
      { title = "${name}: failed status checks", stat = "Maximum", metrics = [["AWS/EC2", "StatusCheckFailed", "AutoScalingGroupName", group.name]] },
    ]]),
  )
}

resource "aws_cloudwatch_dashboard" "this" {
  for_each = length(local._graphs) == 0 ? {} : { serving = var.name }

  dashboard_name = each.value
  dashboard_body = jsonencode({
    widgets = [for index, graph in local._graphs : {
      type       = "metric"
      x          = index % 3 * 8
      y          = floor(index / 3) * 6
      width      = 8
      height     = 6
      properties = { title = graph.title, stat = graph.stat, metrics = graph.metrics, region = data.aws_region.current.region, period = 60, view = "timeSeries", yAxis = { left = { min = 0 } } }
    }]
  })
}
