# A registry for one account, and three policies to attach to roles.

provider "aws" {
  region = "eu-west-1"
}

module "registry" {
  source = "../.."

  name = "acme-mlops"
}

output "registry" {
  description = "For the provider's registry block."
  value       = module.registry.registry
}
