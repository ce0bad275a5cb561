locals {
  # For AWS Chatbot and functions/slack.py: Chatbot is silent about messages of a form that it does not know. Quotes and line ends would break the JSON.
  _safe  = "reReplaceAll \"[\\\\\\\\\\\"]\" \"'\" | reReplaceAll \"[\\\\r\\\\n\\\\t]+\" \" \""
  _title = "{{ .Status | toUpper }}: {{ .GroupLabels.SortedPairs.Values | join \" \" | ${local._safe} }}"
  _alert = "{{ range .Alerts }}[{{ .Status }}] {{ if .Annotations.summary }}{{ .Annotations.summary | ${local._safe} }}{{ else }}{{ .Labels.SortedPairs.Values | join \" \" | ${local._safe} }}{{ end }}; {{ end }}"

  alertmanager_message = "{\"version\":\"1.0\",\"source\":\"custom\",\"content\":{\"textType\":\"client-markdown\",\"title\":\"${local._title}\",\"description\":\"${local._alert}\"}}"

  # Alertmanager knows each window by the name that its key gives it.
  _time_intervals = [
    for name, window in var.quiet_hours : {
      name = name
      time_intervals = [merge(
        { location = window.time_zone },
        length(window.times) == 0 ? {} : { times = [for time in window.times : { start_time = time.start, end_time = time.end }] },
        length(window.weekdays) == 0 ? {} : { weekdays = window.weekdays },
      )]
    }
  ]

  _routes = [
    for route in flatten(var.alertmanager[*].routes) : merge(
      { receiver = route.topic, matchers = route.matchers, continue = route.continue },
      length(route.quiet_hours) == 0 ? {} : { mute_time_intervals = route.quiet_hours },
    )
  ]

  _receivers = [
    for name, topic in aws_sns_topic.this : {
      name = name
      sns_configs = [{
        topic_arn     = topic.arn
        sigv4         = { region = data.aws_region.current.region }
        send_resolved = true
        subject       = "[{{ .Status | toUpper }}] {{ .GroupLabels.SortedPairs.Values | join \" \" }}"
        message       = local.alertmanager_message
      }]
    }
  ]

  alertmanager_config = var.alertmanager == null ? null : yamlencode(merge(
    {
      route = merge({
        receiver        = var.alertmanager.topic
        group_by        = var.alertmanager.group_by
        group_wait      = "${var.alertmanager.group_wait_seconds}s"
        group_interval  = "${var.alertmanager.group_interval_seconds}s"
        repeat_interval = "${var.alertmanager.repeat_interval_seconds}s"
      }, length(local._routes) == 0 ? {} : { routes = local._routes })
      # Of one endpoint's alert only the gravest is told.
      inhibit_rules = [{
        source_matchers = ["severity=\"critical\""]
        target_matchers = ["severity=\"warning\""]
        equal           = ["alertname", "endpoint"]
      }]
      receivers = local._receivers
    },
    length(local._time_intervals) == 0 ? {} : { time_intervals = local._time_intervals },
  ))
}
