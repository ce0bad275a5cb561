# Load balancers for services and ingresses, and figures for autoscalers, in a cluster that is there.

provider "aws" {
  region = "eu-west-1"
}

data "aws_eks_cluster" "serving" {
  name = "serving"
}

provider "helm" {
  kubernetes = {
    host                   = data.aws_eks_cluster.serving.endpoint
    cluster_ca_certificate = base64decode(data.aws_eks_cluster.serving.certificate_authority[0].data)
    exec                   = { api_version = "client.authentication.k8s.io/v1", command = "aws", args = ["eks", "get-token", "--cluster-name", "serving"] }
  }
}

module "addons" {
  source = "../.."

  name    = "serving"
  cluster = { arn = "arn:aws:eks:eu-west-1:123456789012:cluster/serving", name = "serving" }
  addons = {
    aws_load_balancer_controller = { vpc_id = "vpc-0a1b2c3d4e5f60718" }
    metrics_server               = {}
  }
}

output "namespaces" {
  description = "Where they are."
  value       = module.addons.namespaces
}
