# The AWS Distro for OpenTelemetry beside a model server in a task of ECS: it scrapes /metrics, and writes to the workspace as the task's role.

locals {
  collectors = flatten([for prometheus in values(local.managed) : [for name, collector in prometheus.collectors : merge(collector, { name = name })]])

  # As JSON, which the collector reads as YAML.
  collector_configs = { for collector in local.collectors : collector.name => jsonencode({
    extensions = {
      health_check = {}
      sigv4auth    = { region = data.aws_region.current.region, service = "aps" }
    }

    receivers = {
      prometheus = {
        config = {
          global = { scrape_interval = "${collector.interval_seconds}s", scrape_timeout = "${min(collector.interval_seconds, 10)}s" }
          scrape_configs = [{
            job_name       = "models"
            metrics_path   = "/metrics"
            static_configs = [{ targets = ["127.0.0.1:${collector.port}"] }]
          }]
        }
      }
    }

    processors = {
      batch             = {}
      memory_limiter    = { check_interval = "1s", limit_percentage = 80, spike_limit_percentage = 20 }
      resourcedetection = { detectors = ["env", "ecs"], override = false, timeout = "5s" }
      # Each task scrapes 127.0.0.1: without the task's ARN as `instance`, the series of all tasks would be the same.
      "resource/instance" = { attributes = [{ action = "upsert", from_attribute = "aws.ecs.task.arn", key = "service.instance.id" }] }
    }

    exporters = {
      prometheusremotewrite = {
        add_metric_suffixes = false
        auth                = { authenticator = "sigv4auth" }
        endpoint            = "${trimsuffix(local.workspace_endpoint, "/")}/api/v1/remote_write"
      }
    }

    service = {
      extensions = ["health_check", "sigv4auth"]
      pipelines = {
        metrics = {
          receivers  = ["prometheus"]
          processors = ["memory_limiter", "resourcedetection", "resource/instance", "batch"]
          exporters  = ["prometheusremotewrite"]
        }
      }
    }
  }) }

  # As task definitions spell it. A server goes on answering without it.
  collector_containers = { for collector in local.collectors : collector.name => {
    name        = "collector"
    image       = collector.image
    essential   = false
    memory      = collector.memory_mib
    environment = [{ name = "AOT_CONFIG_CONTENT", value = local.collector_configs[collector.name] }]
    healthCheck = { command = ["CMD", "/healthcheck"], interval = 30, retries = 3, startPeriod = 10, timeout = 5 }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = collector.log_group
        awslogs-region        = data.aws_region.current.region
        awslogs-stream-prefix = "collector"
      }
    }
  } }
}

data "aws_iam_policy_document" "collector" {
  for_each = { for key, prometheus in local.managed : key => prometheus if length(prometheus.collectors) > 0 }

  statement {
    sid       = "WriteSamples"
    actions   = ["aps:RemoteWrite"]
    resources = [local.workspace_arn]
  }
}
