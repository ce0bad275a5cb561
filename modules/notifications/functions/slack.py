"""Writes a message of SNS to Slack, by the incoming webhook whose address a secret holds."""

import json
import os
import urllib.request

# Slack cuts a longer text off.
LONGEST = 3000


def text_of(notification):
    """What to say about one message: its subject and its content, of the forms that are known by name."""
    message = notification["Message"]
    title = notification.get("Subject") or ""
    try:
        content = json.loads(message)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        body = message
    elif content.get("source") == "custom" and "content" in content:  # of our Alertmanager
        title = content["content"].get("title") or title
        body = content["content"].get("description", "")
    elif "AlarmName" in content:  # of CloudWatch
        title = f"{content.get('NewStateValue', '')}: {content['AlarmName']}"
        body = content.get("NewStateReason", "")
    elif "detail-type" in content:  # of EventBridge
        title = content["detail-type"]
        body = "\n".join(content.get("resources", []) + [json.dumps(content.get("detail", {}), sort_keys=True)])
    else:
        body = message
    text = f"*{escape(title)}*\n{escape(body)}" if title else escape(body)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def escape(text):
    """Slack takes these for its own marks: a message must not be able to call a whole channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def address_of(secret):
    """The webhook's address. What is refused is not repeated: it is a secret."""
    address = secret.strip()
    if not address.startswith("https://"):
        raise ValueError("the secret does not hold the address of a webhook: one line that begins with https://")
    return address


def send(address, text, opener=urllib.request.urlopen):
    """Posts; raises on a refusal, so that SNS tries again."""
    body = json.dumps({"text": text}).encode()
    request = urllib.request.Request(address, data=body, headers={"Content-Type": "application/json"})
    try:
        with opener(request, timeout=10) as answer:
            answer.read()
    except OSError as error:
        # The error may name the address.
        raise RuntimeError(f"Slack did not take the message: {getattr(error, 'code', type(error).__name__)}") from None


def handler(event, _context, read=None, opener=urllib.request.urlopen):
    """What Lambda calls. The secret is read each time, so that a new one holds at once."""
    address = address_of((read or read_secret)(os.environ["SECRET_ARN"]))
    for record in event["Records"]:
        send(address, text_of(record["Sns"]), opener)


def read_secret(arn):
    """From Secrets Manager, in the secret's own region."""
    import boto3  # part of the runtime, and of nothing else

    return boto3.client("secretsmanager", region_name=arn.split(":")[3]).get_secret_value(SecretId=arn)["SecretString"]
