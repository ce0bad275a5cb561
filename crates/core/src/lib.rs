//! The domain: registry, endpoints, plan, saga, rollout, and the ports they need. No network, no cloud, no Terraform.
