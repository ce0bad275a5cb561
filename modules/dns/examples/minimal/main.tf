# A zone and a certificate that is proved in it.

provider "aws" {
  region = "eu-west-1"
}

module "dns" {
  source = "../.."

  zone        = { name = "models.example.com" }
  certificate = { domain_name = "models.example.com", alternative_names = ["*.models.example.com"] }
}

output "name_servers" {
  description = "What the NS record of models.example.com at example.com holds."
  value       = module.dns.zone.name_servers
}
