locals {
  # Objects decide, not ids: the id of a zone made in the same run is unknown, and so is whether it is null.
  _zones = { for key in ["zone"] : key => var.zone if var.zone != null }
  _made  = { for key, zone in local._zones : key => zone if zone.existing == null }

  zone_id = var.zone == null ? null : one(concat(
    [for zone in aws_route53_zone.this : zone.zone_id],
    [for existing in [var.zone.existing] : existing.id if existing != null],
  ))
}

resource "aws_route53_zone" "this" {
  for_each = local._made

  #checkov:skip=CKV2_AWS_38:Signing needs a key in us-east-1 and a record at the parent, which this module cannot place
  #checkov:skip=CKV2_AWS_39:Query logs of public zones lie in us-east-1 only, and are a matter of the account
  name    = each.value.name
  comment = "Model endpoints"

  dynamic "vpc" {
    for_each = each.value.private_vpc_ids
    content {
      vpc_id = vpc.value
    }
  }

  tags = var.tags
}
