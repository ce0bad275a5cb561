locals {
  # The controller tags what it makes with the cluster's name, and may change and delete only that.
  _owned   = { test = "StringEquals", variable = "aws:ResourceTag/elbv2.k8s.aws/cluster", values = [var.cluster.name] }
  _asked   = { test = "StringEquals", variable = "aws:RequestTag/elbv2.k8s.aws/cluster", values = [var.cluster.name] }
  _not_tag = { test = "Null", variable = "aws:RequestTag/elbv2.k8s.aws/cluster", values = ["true"] }

  _ec2 = "arn:${data.aws_partition.current.partition}:ec2:${local.region}:${local.account}"
  _elb = "arn:${data.aws_partition.current.partition}:elasticloadbalancing:${local.region}:${local.account}"

  _balancers = ["${local._elb}:loadbalancer/app/*/*", "${local._elb}:loadbalancer/net/*/*", "${local._elb}:targetgroup/*/*"]

  load_balancer_statements = {
    Attach = {
      actions = [
        "acm:DescribeCertificate", "acm:ListCertificates", "cognito-idp:DescribeUserPoolClient", "iam:GetServerCertificate", "iam:ListServerCertificates",
        "shield:CreateProtection", "shield:DeleteProtection", "shield:DescribeProtection", "shield:GetSubscriptionState",
        "wafv2:AssociateWebACL", "wafv2:DisassociateWebACL", "wafv2:GetWebACL", "wafv2:GetWebACLForResource",
      ]
      resources  = ["*"]
      conditions = []
    }
    CreateGroups = {
      actions    = ["ec2:CreateSecurityGroup"]
      resources  = ["${local._ec2}:security-group/*", "${local._ec2}:vpc/${try(var.addons.aws_load_balancer_controller.vpc_id, "")}"]
      conditions = []
    }
    CreateOwn = {
      actions    = ["elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup"]
      resources  = ["*"]
      conditions = [local._asked]
    }
    DeleteOwnGroups = {
      actions    = ["ec2:DeleteSecurityGroup"]
      resources  = ["${local._ec2}:security-group/*"]
      conditions = [local._owned]
    }
    Describe = {
      actions = [
        "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones", "ec2:DescribeCoipPools", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
        "ec2:DescribeIpamPools", "ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeTags",
        "ec2:DescribeVpcPeeringConnections", "ec2:DescribeVpcs", "ec2:GetCoipPoolUsage", "ec2:GetSecurityGroupsForVpc",
        "elasticloadbalancing:DescribeCapacityReservation", "elasticloadbalancing:DescribeListenerAttributes", "elasticloadbalancing:DescribeListenerCertificates",
        "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancerAttributes", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules",
        "elasticloadbalancing:DescribeSSLPolicies", "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes", "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetHealth", "elasticloadbalancing:DescribeTrustStores",
      ]
      resources  = ["*"]
      conditions = []
    }
    Listeners = {
      actions = [
        "elasticloadbalancing:AddListenerCertificates", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateRule", "elasticloadbalancing:DeleteListener", "elasticloadbalancing:DeleteRule",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyListenerAttributes", "elasticloadbalancing:ModifyRule", "elasticloadbalancing:RemoveListenerCertificates",
        "elasticloadbalancing:SetRulePriorities", "elasticloadbalancing:SetWebAcl",
      ]
      resources  = ["${local._elb}:*"]
      conditions = []
    }
    ModifyOwn = {
      actions = [
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup", "elasticloadbalancing:ModifyCapacityReservation", "elasticloadbalancing:ModifyIpPools",
        "elasticloadbalancing:ModifyLoadBalancerAttributes", "elasticloadbalancing:ModifyTargetGroup", "elasticloadbalancing:ModifyTargetGroupAttributes",
        "elasticloadbalancing:SetIpAddressType", "elasticloadbalancing:SetSecurityGroups", "elasticloadbalancing:SetSubnets",
      ]
      resources  = local._balancers
      conditions = [local._owned]
    }
    # Of nodes too, whose groups are not the controller's.
    Rules = {
      actions   = ["ec2:AuthorizeSecurityGroupIngress", "ec2:RevokeSecurityGroupIngress"]
      resources = ["${local._ec2}:security-group/*"]
      conditions = [
        { test = "ArnEquals", variable = "ec2:Vpc", values = ["${local._ec2}:vpc/${try(var.addons.aws_load_balancer_controller.vpc_id, "")}"] },
      ]
    }
    ServiceLinkedRole = {
      actions    = ["iam:CreateServiceLinkedRole"]
      resources  = ["*"]
      conditions = [{ test = "StringEquals", variable = "iam:AWSServiceName", values = ["elasticloadbalancing.amazonaws.com"] }]
    }
    TagListeners = {
      actions    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      resources  = [for kind in ["listener-rule/app", "listener-rule/net", "listener/app", "listener/net"] : "${local._elb}:${kind}/*"]
      conditions = []
    }
    TagNew = {
      actions    = ["elasticloadbalancing:AddTags"]
      resources  = local._balancers
      conditions = [local._asked, { test = "StringEquals", variable = "elasticloadbalancing:CreateAction", values = ["CreateLoadBalancer", "CreateTargetGroup"] }]
    }
    TagNewGroups = {
      actions    = ["ec2:CreateTags"]
      resources  = ["${local._ec2}:security-group/*"]
      conditions = [local._asked, { test = "StringEquals", variable = "ec2:CreateAction", values = ["CreateSecurityGroup"] }]
    }
    # But not the tag that says whose it is.
    TagOwn = {
      actions    = ["elasticloadbalancing:AddTags", "elasticloadbalancing:RemoveTags"]
      resources  = local._balancers
      conditions = [local._owned, local._not_tag]
    }
    TagOwnGroups = {
      actions    = ["ec2:CreateTags", "ec2:DeleteTags"]
      resources  = ["${local._ec2}:security-group/*"]
      conditions = [local._owned, local._not_tag]
    }
    # Of groups that others made too, to which an object TargetGroupBinding binds pods.
    Targets = {
      actions    = ["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]
      resources  = ["${local._elb}:targetgroup/*/*"]
      conditions = []
    }
  }
}

data "aws_iam_policy_document" "load_balancers" {
  for_each = local.controller

  dynamic "statement" {
    for_each = local.load_balancer_statements
    content {
      sid       = statement.key
      actions   = statement.value.actions
      resources = statement.value.resources

      dynamic "condition" {
        for_each = statement.value.conditions
        content {
          test     = condition.value.test
          variable = condition.value.variable
          values   = condition.value.values
        }
      }
    }
  }
}
