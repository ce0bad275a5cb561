output "champion" {
  description = "The version of the model that the endpoint has proved."
  value       = mlops_model_alias.champion.version
}

output "invoke_url" {
  description = "Where the endpoint answers; the Open Inference Protocol lies under /v2."
  value       = mlops_endpoint.digits.invoke_url
}

output "load_balancer" {
  description = "DNS name of the load balancer, to which all names of the zone lead."
  value       = module.alb.load_balancer.dns_name
}

output "name_servers" {
  description = "What the parent zone has to name for the domain."
  value       = module.dns.zone.name_servers
}

output "policies" {
  description = "Policies for whoever reads, publishes and deploys."
  value       = module.registry.policies
}

output "prometheus" {
  description = "The workspace of Amazon Managed Prometheus: where Grafana asks, and who evaluates the rules."
  value       = module.observability.prometheus
}

output "registry" {
  description = "Where the registry lies, for the command line: table and bucket."
  value       = module.registry.registry
}

output "rules" {
  description = "Objectives of the endpoint as rules of Prometheus (YAML)."
  value       = module.observability.rules.groups
}

output "scraper" {
  description = "Configuration of the Prometheus that scrapes the tasks, as JSON."
  value       = module.observability.scrapers["cluster"].config
}
