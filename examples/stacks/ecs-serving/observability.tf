# Who is told of what, and what is looked at.

module "notifications" {
  source = "../../../modules/notifications"

  name            = var.name
  topics          = { alerts = { emails = var.emails } }
  registry_stream = module.registry.stream

  events = {
    endpoints = { kind = "registry-endpoint-changed", topic = "alerts" }
    models    = { kind = "registry-model-changed", topic = "alerts" }
    tasks     = { kind = "ecs-task-stopped", names = [module.ecs.cluster.name], topic = "alerts" }
  }
}

module "observability" {
  source = "../../../modules/observability"

  name           = var.name
  alarms         = { topic_arns = module.notifications.topics }
  endpoints      = { (mlops_endpoint.digits.name) = { latency = { seconds = 0.25 } } }
  load_balancers = { endpoints = { arn_suffix = module.alb.load_balancer.arn_suffix } }

  # Rules and dashboards are outputs, for a Prometheus that scrapes the tasks.
  prometheus = null
}
