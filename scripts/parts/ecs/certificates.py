"""What of certificates ministack 1.5.33 does not do. Patched in at start-up.

Each part says what ministack does, and what AWS documents; when ministack does the same, the part can go.
"""

from ministack.services import acm, alb, iam

# A certificate that is asked for with these tags is in this state, and good until then.
STATUS = "test:status"
UNTIL = "test:until"


def install():
    issue_certificates_in_any_state()
    keep_more_than_one_certificate()
    keep_certificates_in_iam()


# --- Certificate Manager. All of ministack's certificates are issued at once and good for a year. ---


def issue_certificates_in_any_state():
    request = acm._request_certificate

    def request_certificate(data):
        before = set(acm._certificates)
        answer = request(data)
        tags = {tag["Key"]: tag["Value"] for tag in data.get("Tags", [])}
        for arn in set(acm._certificates) - before:
            made = acm._certificates[arn]
            made["Status"] = tags.get(STATUS, made["Status"])
            made["NotAfter"] = tags.get(UNTIL, made["NotAfter"])
        return answer

    acm._request_certificate = request_certificate


# --- Listeners. ministack's have one certificate; AWS's may have others, chosen by the name that a client asks for, and tells of all by a call of its own. ---


def keep_more_than_one_certificate():
    def add(parameters):
        listener = alb._listeners.get(alb._p(parameters, "ListenerArn"))
        if not listener:
            return alb._error("ListenerNotFound", "One or more listeners not found")
        more = listener.setdefault("_more_certificates", [])
        more.extend(alb._parse_certificate_arns(parameters))
        return alb._xml(200, "AddListenerCertificates", members(listener))

    def describe(parameters):
        listener = alb._listeners.get(alb._p(parameters, "ListenerArn"))
        if not listener:
            return alb._error("ListenerNotFound", "One or more listeners not found")
        return alb._xml(200, "DescribeListenerCertificates", members(listener))

    def members(listener):
        own = [(arn, "true") for arn in listener.get("Certificates", [])]
        more = [(arn, "false") for arn in listener.get("_more_certificates", [])]
        told = "".join(
            f"<member><CertificateArn>{arn}</CertificateArn><IsDefault>{default}</IsDefault></member>" for arn, default in own + more
        )
        return f"<Certificates>{told}</Certificates>"

    alb._ACTION_MAP["AddListenerCertificates"] = add
    alb._ACTION_MAP["DescribeListenerCertificates"] = describe


# --- IAM. ministack's keeps no certificates; AWS's keeps what others issued, and tells their end. What is uploaded is not read here: the tag says when it ends. ---


def keep_certificates_in_iam():
    kept = {}

    def upload(parameters):
        name = iam._p(parameters, "ServerCertificateName")
        tags = {tag["Key"]: tag["Value"] for tag in iam._extract_tags(parameters)}
        arn = f"arn:aws:iam::{iam.get_account_id()}:server-certificate/{name}"
        kept[name] = (
            f"<ServerCertificateMetadata><ServerCertificateName>{name}</ServerCertificateName><Path>/</Path><Arn>{arn}</Arn>"
            f"<Expiration>{tags[UNTIL]}</Expiration></ServerCertificateMetadata>"
        )
        result = f"<UploadServerCertificateResult>{kept[name]}</UploadServerCertificateResult>"
        return iam._xml(200, "UploadServerCertificateResponse", result, ns="iam")

    def get(parameters):
        name = iam._p(parameters, "ServerCertificateName")
        if name not in kept:
            return iam._error(404, "NoSuchEntity", f"The Server Certificate with name {name} cannot be found.", ns="iam")
        result = f"<GetServerCertificateResult><ServerCertificate>{kept[name]}</ServerCertificate></GetServerCertificateResult>"
        return iam._xml(200, "GetServerCertificateResponse", result, ns="iam")

    iam._IAM_HANDLERS["UploadServerCertificate"] = upload
    iam._IAM_HANDLERS["GetServerCertificate"] = get
