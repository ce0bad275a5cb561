# Behind modules/vpc and modules/eks: all of them, for KServe behind nginx with names and certificates of one zone.

provider "aws" {
  region = "eu-west-1"
}

provider "helm" {
  kubernetes = {
    host                   = module.eks.cluster.endpoint
    cluster_ca_certificate = base64decode(module.eks.cluster.certificate_authority)
    exec                   = { api_version = "client.authentication.k8s.io/v1", command = "aws", args = ["eks", "get-token", "--cluster-name", "serving-prod"] }
  }
}

module "vpc" {
  source = "../../../vpc"

  name  = "serving-prod"
  cidr  = "10.20.0.0/16"
  zones = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
}

module "eks" {
  source = "../../../eks"

  name           = "serving-prod"
  network        = module.vpc.networks.private
  cluster        = { version = "1.33" }
  access_entries = { platform = { principal_arn = "arn:aws:iam::123456789012:role/platform", policies = { AmazonEKSClusterAdminPolicy = [] } } }
  node_groups = {
    general = { instance_types = ["m7i.xlarge"], min_size = 3, max_size = 12 }
    gpu     = { ami_type = "AL2023_x86_64_NVIDIA", instance_types = ["g6.2xlarge"], min_size = 0, max_size = 8 }
  }
}

module "addons" {
  source = "../.."

  name = "serving-prod"
  cluster = {
    addons = module.eks.addons
    arn    = module.eks.cluster.arn
    name   = module.eks.cluster.name
  }

  addons = {
    aws_efs_csi_driver           = { file_system_arns = { models = "arn:aws:elasticfilesystem:eu-west-1:123456789012:file-system/fs-0a1b2c3d4e5f60718" } }
    aws_load_balancer_controller = { vpc_id = module.vpc.vpc.id }
    cert_manager                 = { zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" } }
    external_dns                 = { zone_arns = { models = "arn:aws:route53:::hostedzone/Z0123456789ABCDEFGHIJ" }, policy = "sync" }
    external_secrets = {
      secret_arns  = { serving = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:serving/*" }
      kms_key_arns = { secrets = "arn:aws:kms:eu-west-1:123456789012:key/1b2c3d4e-0000-4000-8000-0a1b2c3d4e5f" }
    }
    ingress_nginx = { scheme = "internet-facing", values = [yamlencode({ controller = { replicaCount = 3 } })] }
    keda = {
      policies = { queues = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "sqs:GetQueueAttributes", Resource = "arn:aws:sqs:eu-west-1:123456789012:serving-*" }] }) }
    }
    kserve               = { ingress = { class = "nginx", domain = "models.example.com" } }
    metrics_server       = {}
    nvidia_device_plugin = {}
  }

  releases = { timeout_seconds = 900 }
  tags     = { environment = "prod" }
}

output "namespaces" {
  description = "Where they are."
  value       = module.addons.namespaces
}
