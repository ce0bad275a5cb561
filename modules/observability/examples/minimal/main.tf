# Objectives of one endpoint, evaluated by Amazon Managed Prometheus.

provider "aws" {
  region = "eu-west-1"
}

module "observability" {
  source = "../.."

  name      = "serving"
  endpoints = { fraud = {} }
}

output "prometheus" {
  description = "Where the collector writes to."
  value       = module.observability.prometheus
}
