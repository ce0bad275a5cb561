# The plan of addresses, over generated inputs: prefixes from /16 to /23, two to four zones, anywhere in 10.0.0.0/8.
# A failing case is named by the range that it began with; another seed makes other cases.

provider "aws" {
  region = "eu-west-1"
}

run "addresses_of_generated_vpcs" {
  command = plan

  module {
    source = "./tests/generated"
  }

  variables {
    seed = "first"
  }

  assert {
    condition     = length(distinct([for case in values(output.cases) : "${case.prefix}/${case.zones}"])) >= 10
    error_message = "The generated inputs are too much alike to prove anything."
  }

  assert {
    condition     = alltrue([for case in values(output.cases) : length(case.subnets) == 3 * case.zones])
    error_message = "A subnet is missing, or two begin at one address."
  }

  assert {
    condition = alltrue(flatten([for case in values(output.cases) : [
      for n in range(length(case.subnets) - 1) : case.subnets[n].first + case.subnets[n].size <= case.subnets[n + 1].first
    ]]))
    error_message = "Subnets overlap: ${jsonencode([for case in values(output.cases) : case.vpc.cidr if !alltrue([for n in range(length(case.subnets) - 1) : case.subnets[n].first + case.subnets[n].size <= case.subnets[n + 1].first])])}"
  }

  assert {
    condition = alltrue(flatten([for case in values(output.cases) : [
      for subnet in case.subnets : subnet.first >= case.vpc.first && subnet.first + subnet.size <= case.vpc.first + case.vpc.size
    ]]))
    error_message = "A subnet lies outside of its VPC."
  }

  assert {
    condition = alltrue(flatten([for case in values(output.cases) : [
      for subnet in case.subnets : subnet.size == case.vpc.size / { private = 8, public = 16, isolated = 32 }[subnet.tier]
    ]]))
    error_message = "A subnet has not the size of its tier: an eighth, a sixteenth and a thirty-second of the VPC."
  }

  assert {
    condition     = alltrue(flatten([for case in values(output.cases) : [for subnet in case.subnets : subnet.size >= 16 && subnet.first % subnet.size == 0]]))
    error_message = "A subnet is smaller than AWS accepts, or does not begin at a multiple of its size."
  }
}

run "addresses_of_other_generated_vpcs" {
  command = plan

  module {
    source = "./tests/generated"
  }

  variables {
    seed = "second"
  }

  assert {
    condition = alltrue(flatten([for case in values(output.cases) : [
      for n in range(length(case.subnets) - 1) : case.subnets[n].first + case.subnets[n].size <= case.subnets[n + 1].first
    ]]))
    error_message = "Subnets overlap."
  }

  assert {
    condition = alltrue(flatten([for case in values(output.cases) : [
      for subnet in case.subnets : subnet.size == case.vpc.size / { private = 8, public = 16, isolated = 32 }[subnet.tier] && subnet.first >= case.vpc.first && subnet.first + subnet.size <= case.vpc.first + case.vpc.size
    ]]))
    error_message = "A subnet lies outside of its VPC, or has not the size of its tier."
  }
}
