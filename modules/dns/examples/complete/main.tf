# Two regions behind one name: the second answers when the first fails its check. The parent's zone is somebody else's.

provider "aws" {
  region = "eu-west-1"
}

module "dns" {
  source = "../.."

  zone = { name = "models.example.com", existing = { id = "Z0123456789ABCDEFGHIJ" } }

  health_checks = {
    ireland = { fqdn = "ireland.models.example.com", path = "/healthz", interval_seconds = 10 }
  }

  records = {
    ireland = { name = "ireland", alias = { dns_name = "serving-1.eu-west-1.elb.amazonaws.com", zone_id = "Z32O12XQLNTSW2" } }

    primary = {
      name         = "api"
      alias        = { dns_name = "serving-1.eu-west-1.elb.amazonaws.com", zone_id = "Z32O12XQLNTSW2", ipv6 = true }
      routing      = { failover = "PRIMARY" }
      health_check = "ireland"
    }
    secondary = {
      name    = "api"
      alias   = { dns_name = "serving-2.eu-central-1.elb.amazonaws.com", zone_id = "Z215JYRZR1TBD5", ipv6 = true }
      routing = { failover = "SECONDARY" }
    }
  }

  tags = { environment = "prod" }
}

# The certificate of a name whose DNS is run elsewhere.
module "foreign" {
  source = "../.."

  certificate = { domain_name = "models.example.org", validation = "foreign" }
}

output "for_the_hostmaster" {
  description = "Records that prove models.example.org to be ours."
  value       = module.foreign.certificate_validation_records
}
