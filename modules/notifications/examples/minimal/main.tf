# One topic, one address.

provider "aws" {
  region = "eu-west-1"
}

module "notifications" {
  source = "../.."

  name   = "serving"
  topics = { alerts = { emails = { oncall = "oncall@example.com" } } }
}

output "topics" {
  description = "For actions of alarms."
  value       = module.notifications.topics
}
