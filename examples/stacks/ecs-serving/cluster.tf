# Where tasks run, and what the servers of one model may do: pull their image, write their log, read their model.

module "ecs" {
  source = "../../../modules/ecs"

  name     = var.name
  network  = module.vpc.networks.private
  registry = module.registry.registry

  servers = {
    digits = {
      clients         = { alb = module.alb.security_group_id, prometheus = module.observability.scrapers["cluster"].security_group_id }
      models          = ["digits"]
      repository_arns = { server = var.server_image.repository_arn }
    }
  }
}
