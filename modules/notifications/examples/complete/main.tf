# Pages at once, tickets by day, Slack both ways, events of ECS, CodePipeline and the registry.

provider "aws" {
  region = "eu-west-1"
}

module "notifications" {
  source = "../.."

  name = "serving-prod"

  topics = {
    page   = { title = "Models: page", emails = { oncall = "oncall@example.com" } }
    ticket = { title = "Models: ticket", emails = { team = "ml@example.com", lead = "lead@example.com" } }
  }

  chatbot  = { incidents = { workspace_id = "T0A1B2C3D4", channel_id = "C0A1B2C3D4", topics = ["page"] } }
  webhooks = { models = { secret_arn = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:serving-prod/slack-webhook-AbCdEf", topics = ["ticket"] } }

  events = {
    deployments = { kind = "ecs-deployment-failed", names = ["serving-prod"], topic = "page" }
    tasks       = { kind = "ecs-task-stopped", names = ["serving-prod"], topic = "ticket" }
    pipelines   = { kind = "pipeline-failed", topic = "ticket" }
    approvals   = { kind = "pipeline-approval", topic = "ticket" }
    artifacts   = { kind = "registry-artifact-written", names = ["serving-prod-artifacts"], topic = "ticket" }
    findings    = { kind = "registry-image-vulnerable", topic = "page" }
    models      = { kind = "registry-model-changed", names = ["fraud"], topic = "ticket" }
  }

  registry_stream = {
    arn         = "arn:aws:dynamodb:eu-west-1:123456789012:table/serving-prod/stream/2026-01-01T00:00:00.000"
    kms_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  quiet_hours = {
    nights   = { times = [{ start = "00:00", end = "07:00" }, { start = "20:00", end = "24:00" }], time_zone = "Europe/Berlin" }
    weekends = { weekdays = ["saturday", "sunday"], time_zone = "Europe/Berlin" }
  }

  alertmanager = {
    topic = "ticket"
    routes = [
      { matchers = ["severity=\"critical\""], topic = "page" },
      { matchers = ["severity=~\"warning|info\""], topic = "ticket", quiet_hours = ["nights", "weekends"] },
    ]
  }

  tags = { environment = "prod" }
}

output "alertmanager" {
  description = "For Amazon Managed Prometheus."
  value       = module.notifications.alertmanager
}
