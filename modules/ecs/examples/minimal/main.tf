# A cluster on Fargate, and the roles of one model server.

provider "aws" {
  region = "eu-west-1"
}

module "ecs" {
  source = "../.."

  name    = "serving"
  servers = { fraud = { repository_arns = { server = "arn:aws:ecr:eu-west-1:123456789012:repository/model-server" } } }
}

output "fraud" {
  description = "What the task definition of the server takes."
  value       = module.ecs.servers["fraud"]
}
