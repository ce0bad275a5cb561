# Endpoints add their rules; what no rule takes is answered here, so that no model is reached by chance.

resource "aws_lb_listener" "http" {
  for_each = var.http == null ? {} : { http = var.http }

  #checkov:skip=CKV_AWS_2:Clear text is for redirection, unless http.redirect is false
  #checkov:skip=CKV_AWS_103:Clear text is for redirection, unless http.redirect is false
  load_balancer_arn = aws_lb.this.arn
  port              = each.value.port
  protocol          = "HTTP"

  dynamic "default_action" {
    for_each = each.value.redirect ? [var.https.port] : []
    content {
      type = "redirect"
      redirect {
        port        = tostring(default_action.value)
        protocol    = "HTTPS"
        status_code = "HTTP_301"
      }
    }
  }

  dynamic "default_action" {
    for_each = each.value.redirect ? [] : [404]
    content {
      type = "fixed-response"
      fixed_response {
        content_type = "application/json"
        message_body = jsonencode({ error = "no endpoint at this address" })
        status_code  = tostring(default_action.value)
      }
    }
  }

  tags = var.tags
}

resource "aws_lb_listener" "https" {
  #checkov:skip=CKV_AWS_103:Policies without TLS 1.3 or with TLS older than 1.2 are refused by a validation of https
  for_each = var.https == null ? {} : { https = var.https }

  load_balancer_arn = aws_lb.this.arn
  port              = each.value.port
  protocol          = "HTTPS"
  ssl_policy        = each.value.ssl_policy
  certificate_arn   = each.value.certificate_arn

  default_action {
    type = "fixed-response"
    fixed_response {
      content_type = "application/json"
      message_body = jsonencode({ error = "no endpoint at this address" })
      status_code  = "404"
    }
  }

  tags = var.tags

  lifecycle {
    precondition {
      condition = alltrue([for arn in concat([each.value.certificate_arn], values(each.value.additional_certificate_arns)) :
      contains(["", data.aws_region.current.region], split(":", arn)[3])])
      error_message = "A certificate of https is of another region than the load balancer (${data.aws_region.current.region}). Request one there; a certificate for CloudFront, in us-east-1, is another one."
    }
  }
}

resource "aws_lb_listener_certificate" "additional" {
  for_each = var.https == null ? {} : var.https.additional_certificate_arns

  listener_arn    = aws_lb_listener.https["https"].arn
  certificate_arn = each.value
}
