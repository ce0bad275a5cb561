# Behind modules/vpc: general nodes, GPUs on demand and in a capacity block, Graviton on spot, versions pinned, roles of pods, a public endpoint for one office.

provider "aws" {
  region = "eu-west-1"
}

module "vpc" {
  source = "../../../vpc"

  name  = "serving-prod"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
}

data "aws_iam_policy_document" "artifacts" {
  statement {
    actions   = ["s3:GetObject"]
    resources = ["arn:aws:s3:::serving-artifacts/*"]
  }
}

module "eks" {
  source = "../.."

  name    = "serving-prod"
  network = module.vpc.networks.private

  cluster = {
    version           = "1.33"
    kms_key           = { arn = "arn:aws:kms:eu-west-1:123456789012:key/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f" }
    service_ipv4_cidr = "172.20.0.0/16"
    support_type      = "STANDARD"
  }

  endpoint = {
    public_ranges  = { office = "203.0.113.0/24" }
    private_ranges = { vpn = "10.99.0.0/16" }
  }

  access_entries = {
    platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } }
    models   = { principal_arn = "arn:aws:iam::123456789012:role/models", policies = { AmazonEKSEditPolicy = ["models"] }, kubernetes_groups = ["models"] }
  }

  node_groups = {
    general = { instance_types = ["m7i.xlarge", "m7a.xlarge"], min_size = 3, max_size = 12 }
    spot    = { ami_type = "BOTTLEROCKET_ARM_64", capacity_type = "SPOT", instance_types = ["c8g.2xlarge", "c7g.2xlarge"], min_size = 0, max_size = 20 }
    gpu     = { ami_type = "AL2023_x86_64_NVIDIA", instance_types = ["g6.2xlarge"], min_size = 0, max_size = 8, disk_gib = 300 }
    block = {
      ami_type             = "AL2023_x86_64_NVIDIA"
      capacity_reservation = { id = "cr-0a1b2c3d4e5f60718" }
      capacity_type        = "CAPACITY_BLOCK"
      instance_types       = ["p5.48xlarge"]
      min_size             = 0
      max_size             = 2
      subnet_ids           = [module.vpc.networks.private.subnet_ids[0]]
    }
  }

  addons = {
    aws-ebs-csi-driver     = { identities = { ebs-csi-controller-sa = { policy_arns = { ebs = "arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy" } } } }
    coredns                = { version = "v1.12.4-eksbuild.1", configuration = jsonencode({ replicaCount = 3 }) }
    eks-pod-identity-agent = { version = "v1.3.9-eksbuild.3" }
    kube-proxy             = { version = "v1.33.5-eksbuild.2" }
    metrics-server         = { version = "v0.8.0-eksbuild.3" }
    vpc-cni                = { version = "v1.20.4-eksbuild.1" }
  }

  identities = {
    server = { namespace = "models", service_account = "server", policies = { artifacts = data.aws_iam_policy_document.artifacts.json } }
  }

  logging = { retention_days = 90 }
  tags    = { environment = "prod" }
}

output "cluster" {
  description = "For clients of Kubernetes."
  value       = module.eks.cluster
}
