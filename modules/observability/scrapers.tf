# Prometheus as an agent, a service of ECS: it asks ECS which tasks are endpoints', scrapes them, and writes to the workspace. It keeps nothing and evaluates nothing.

locals {
  scrapers = merge([for prometheus in values(local.managed) : prometheus.scrapers]...)

  # The tags are those that an mlops_endpoint gives to its services.
  scraper_configs = { for key, scraper in local.scrapers : key => {
    global = { scrape_interval = "${scraper.interval_seconds}s", scrape_timeout = "${min(scraper.interval_seconds, 10)}s" }
    scrape_configs = [{
      job_name       = "models"
      metrics_path   = "/metrics"
      aws_sd_configs = [{ role = "ecs", region = data.aws_region.current.region, clusters = [scraper.cluster.arn], port = scraper.port, refresh_interval = "${max(scraper.interval_seconds, 15)}s" }]
      relabel_configs = [
        { action = "keep", source_labels = ["__meta_ecs_tag_service_mlops_endpoint_id"], regex = ".+" },
        { action = "keep", source_labels = ["__meta_ecs_last_status"], regex = "RUNNING" },
        # An address is given to another task one day.
        { action = "replace", source_labels = ["__meta_ecs_task_arn"], target_label = "instance" },
      ]
    }]
    remote_write = [{ url = "${trimsuffix(local.workspace_endpoint, "/")}/api/v1/remote_write", sigv4 = { region = data.aws_region.current.region } }]
  } }

  # The image has a shell, and takes its configuration from a file.
  scraper_command = join(" ", [
    "printf %s \"$PROMETHEUS_CONFIG\" > /tmp/prometheus.yml && exec /bin/prometheus --agent --config.file=/tmp/prometheus.yml",
    "--storage.agent.path=/prometheus --web.listen-address=127.0.0.1:9090",
  ])
}

resource "aws_cloudwatch_log_group" "scrapers" {
  for_each = local.scrapers

  #checkov:skip=CKV_AWS_158:CloudWatch encrypts with a key of its own; a customer's key is logging.kms_key_arn
  #checkov:skip=CKV_AWS_338:The default is a year; less is the user's decision, in logging.retention_days
  name              = "/ecs/${var.name}/scrapers/${each.key}"
  retention_in_days = var.logging.retention_days
  kms_key_id        = var.logging.kms_key_arn

  tags = var.tags
}

resource "aws_ecs_task_definition" "scrapers" {
  for_each = local.scrapers

  #checkov:skip=CKV_AWS_336:Prometheus writes its configuration and what is not sent yet; volumes of Fargate belong to root, and it is not root
  family                   = "${var.name}-${each.key}-scraper"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = each.value.memory_mib
  execution_role_arn       = aws_iam_role.scraper_execution[each.key].arn
  task_role_arn            = aws_iam_role.scrapers[each.key].arn

  container_definitions = jsonencode([{
    name        = "prometheus"
    image       = each.value.image
    essential   = true
    entryPoint  = ["/bin/sh", "-c"]
    command     = [local.scraper_command]
    environment = [{ name = "PROMETHEUS_CONFIG", value = jsonencode(local.scraper_configs[each.key]) }]
    healthCheck = { command = ["CMD-SHELL", "wget -q -O /dev/null http://127.0.0.1:9090/-/healthy"], interval = 30, retries = 3, startPeriod = 30, timeout = 5 }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.scrapers[each.key].name
        awslogs-region        = data.aws_region.current.region
        awslogs-stream-prefix = "prometheus"
      }
    }
  }])

  tags = var.tags
}

resource "aws_ecs_service" "scrapers" {
  for_each = local.scrapers

  name            = "${var.name}-${each.key}-scraper"
  cluster         = each.value.cluster.arn
  task_definition = aws_ecs_task_definition.scrapers[each.key].arn
  desired_count   = 1
  launch_type     = "FARGATE"
  propagate_tags  = "SERVICE"

  # Two at once would write each sample twice, and the workspace refuses the second. So the old one goes first, and there is nothing to balance.
  deployment_maximum_percent         = 100
  deployment_minimum_healthy_percent = 0
  availability_zone_rebalancing      = "DISABLED"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets         = each.value.network.subnet_ids
    security_groups = [aws_security_group.scrapers[each.key].id]
  }

  tags = var.tags

  depends_on = [
    aws_iam_role_policy.scraper_execution,
    aws_iam_role_policy.scrapers,
    aws_vpc_security_group_egress_rule.scrapers_apis,
    aws_vpc_security_group_egress_rule.scrapers_targets,
  ]
}

resource "aws_security_group" "scrapers" {
  for_each = local.scrapers

  name        = "${var.name}-${each.key}-scraper"
  description = "Prometheus of ${var.name}, which scrapes the tasks of ${each.key}"
  vpc_id      = each.value.network.vpc_id

  tags = merge(var.tags, { Name = "${var.name}-${each.key}-scraper" })
}

resource "aws_vpc_security_group_egress_rule" "scrapers_apis" {
  for_each = local.scrapers

  security_group_id = aws_security_group.scrapers[each.key].id
  description       = "APIs of AWS, registries of images"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443

  tags = var.tags
}

resource "aws_vpc_security_group_egress_rule" "scrapers_targets" {
  for_each = merge([for key, scraper in local.scrapers : { for name, cidr in scraper.targets : "${key}/${name}" => merge(scraper, { cidr = cidr, key = key }) }]...)

  security_group_id = aws_security_group.scrapers[each.value.key].id
  description       = "Model servers in ${split("/", each.key)[1]}"
  cidr_ipv4         = each.value.cidr
  ip_protocol       = "tcp"
  from_port         = each.value.port
  to_port           = each.value.port

  tags = var.tags
}
