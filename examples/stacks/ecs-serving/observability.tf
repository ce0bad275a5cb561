# Who is told of what, and what is looked at.

module "notifications" {
  source = "../../../modules/notifications"

  name            = var.name
  topics          = { alerts = { emails = var.emails } }
  alertmanager    = { topic = "alerts" }
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
  alertmanager   = module.notifications.alertmanager
  endpoints      = { (mlops_endpoint.digits.name) = { latency = { seconds = 0.25 } } }
  load_balancers = { endpoints = { arn_suffix = module.alb.load_balancer.arn_suffix } }

  # Finds the tasks of all endpoints in the cluster, whichever version they run, and writes what they tell to Amazon Managed Prometheus.
  prometheus = { scrapers = { cluster = {
    cluster    = module.ecs.cluster
    image      = var.prometheus_image.uri
    network    = module.vpc.networks.private
    repository = { arn = var.prometheus_image.repository_arn }
    targets    = { vpc = module.vpc.vpc.cidr }
  } } }
}
