# A cluster whose nodes, network, load balancers and volumes EKS runs.

provider "aws" {
  region = "eu-west-1"
}

module "eks" {
  source = "../.."

  name           = "serving"
  network        = { vpc_id = "vpc-0a1b2c3d4e5f60718", subnet_ids = ["subnet-0a1b2c3d4e5f60718", "subnet-1a1b2c3d4e5f60718"] }
  cluster        = { version = "1.33" }
  access_entries = { platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } } }
  auto_mode      = {}
  identities     = { server = { namespace = "models", service_account = "server", policy_arns = { artifacts = "arn:aws:iam::123456789012:policy/serving-reader" } } }
}

output "cluster" {
  description = "For clients of Kubernetes."
  value       = module.eks.cluster
}
