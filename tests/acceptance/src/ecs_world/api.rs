//! Calls of AWS, without a signature, which nobody checks here.

use serde_json::{Value, json};

use super::EcsWorld;
use crate::http::{Client, Response};
use crate::part::{authorization, authorization_in};

impl EcsWorld {
    /// Calls ECS.
    ///
    /// # Panics
    /// If it refuses.
    pub fn ecs(&self, operation: &str, body: &Value) -> Value {
        self.json("ecs", "AmazonEC2ContainerServiceV20141113", operation, body)
    }

    /// Calls CloudWatch Logs.
    ///
    /// # Panics
    /// If it refuses.
    pub fn logs(&self, operation: &str, body: &Value) -> Value {
        self.json("logs", "Logs_20140328", operation, body)
    }

    /// Calls Application Auto Scaling about services of ECS.
    ///
    /// # Panics
    /// If it refuses.
    pub fn scaling(&self, operation: &str, body: &Value) -> Value {
        let answer = self.scaling_at(&self.part.url, operation, body);
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        answer.json()
    }

    /// The same by another way, which may refuse.
    #[must_use]
    pub fn scaling_at(&self, url: &str, operation: &str, body: &Value) -> Response {
        let mut body = body.clone();
        body["ServiceNamespace"] = "ecs".into();
        body["ScalableDimension"] = "ecs:service:DesiredCount".into();
        let service = "application-autoscaling";
        let at = (url, self.region.as_str());
        json_at(at, service, "AnyScaleFrontendService", operation, &body)
    }

    /// Keeps a value in Secrets Manager; its ARN.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn secret(&self, name: &str, value: &str) -> String {
        let body = json!({"Name": name, "SecretString": value});
        let made = self.json("secretsmanager", "secretsmanager", "CreateSecret", &body);
        text(&made["ARN"])
    }

    /// The same under a key of KMS.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn secret_under(&self, name: &str, value: &str, key: &str) -> String {
        let body = json!({"Name": name, "SecretString": value, "KmsKeyId": key});
        let made = self.json("secretsmanager", "secretsmanager", "CreateSecret", &body);
        text(&made["ARN"])
    }

    /// Makes a key of KMS, about which the account's policies decide; its ARN.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn key(&self) -> String {
        let made = self.json("kms", "TrentService", "CreateKey", &json!({}));
        let arn = text(&made["KeyMetadata"]["Arn"]);
        let root = json!({"AWS": "arn:aws:iam::000000000000:root"});
        let all =
            json!([{"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}]);
        self.key_policy(&arn, &all);
        arn
    }

    /// Gives a key this policy.
    ///
    /// # Panics
    /// If that is refused.
    pub fn key_policy(&self, arn: &str, statements: &Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let body = json!({"KeyId": arn, "PolicyName": "default", "Policy": policy});
        self.json("kms", "TrentService", "PutKeyPolicy", &body);
    }

    /// Has a certificate for these names, in this state and good until then; its ARN.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn certificate(&self, names: &[&str], status: &str, until: &str) -> String {
        let body = json!({
            "DomainName": names.first(), "SubjectAlternativeNames": names,
            // `scripts/parts/ecs/certificates.py`
            "Tags": [{"Key": "test:status", "Value": status}, {"Key": "test:until", "Value": until}],
        });
        let made = self.json("acm", "CertificateManager", "RequestCertificate", &body);
        text(&made["CertificateArn"])
    }

    /// Has a certificate kept in IAM that is good until then; its ARN.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn certificate_in_iam(&self, name: &str, until: &str) -> String {
        let parameters = [
            ("ServerCertificateName", name),
            // `scripts/parts/ecs/certificates.py`
            ("Tags.member.1.Key", "test:until"),
            ("Tags.member.1.Value", until),
        ];
        let made = self.query("iam", "2010-05-08", "UploadServerCertificate", &parameters);
        value(&made, "Arn")
    }

    /// From now on the account may have so much of a service.
    ///
    /// # Panics
    /// If that is refused.
    pub fn quota(&self, service: &str, name: &str, value: f64) {
        let told = self.quotas(service);
        let of_name = |quota: &&Value| quota["QuotaName"] == name;
        let quota = told.iter().find(of_name).expect(name);
        let body =
            json!({"ServiceCode": service, "QuotaCode": quota["QuotaCode"], "DesiredValue": value});
        let target = "ServiceQuotasV20190624";
        self.json(
            "servicequotas",
            target,
            "RequestServiceQuotaIncrease",
            &body,
        );
    }

    fn quotas(&self, service: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut body = json!({ "ServiceCode": service });
        loop {
            let target = "ServiceQuotasV20190624";
            let page = self.json("servicequotas", target, "ListServiceQuotas", &body);
            all.extend(page["Quotas"].as_array().cloned().unwrap_or_default());
            match page["NextToken"].as_str() {
                Some(next) => body["NextToken"] = next.into(),
                None => return all,
            }
        }
    }

    /// Gives a secret this policy.
    ///
    /// # Panics
    /// If that is refused.
    pub fn secret_policy(&self, arn: &str, statements: &Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let body = json!({"SecretId": arn, "ResourcePolicy": policy});
        self.json(
            "secretsmanager",
            "secretsmanager",
            "PutResourcePolicy",
            &body,
        );
    }

    /// Gives a repository this policy.
    ///
    /// # Panics
    /// If that is refused.
    pub fn repository_policy(&self, name: &str, statements: &Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let body = json!({"repositoryName": name, "policyText": policy});
        let target = "AmazonEC2ContainerRegistry_V20150921";
        self.json("ecr", target, "SetRepositoryPolicy", &body);
    }

    /// Gives a bucket this policy.
    ///
    /// # Panics
    /// If that is refused.
    pub fn bucket_policy(&self, name: &str, statements: &Value) {
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let authorization = authorization("s3");
        let headers = [("authorization", authorization.as_str())];
        let path = format!("/{name}?policy");
        let answer = Client::new(&self.part.url).request("PUT", &path, &headers, policy.as_bytes());
        let answer = answer.expect("an answer");
        assert!(answer.status < 300, "{}", answer.text());
    }

    fn json(&self, service: &str, target: &str, operation: &str, body: &Value) -> Value {
        let at = (self.part.url.as_str(), self.region.as_str());
        let answer = json_at(at, service, target, operation, body);
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        answer.json()
    }

    /// Asks ECS by another way, which may refuse.
    #[must_use]
    pub fn ecs_at(&self, url: &str, operation: &str, body: &Value) -> Response {
        json_at(
            (url, &self.region),
            "ecs",
            "AmazonEC2ContainerServiceV20141113",
            operation,
            body,
        )
    }

    /// Asks Elastic Load Balancing by another way, which may refuse.
    #[must_use]
    pub fn elb_at(&self, url: &str, action: &str, parameters: &[(&str, &str)]) -> Response {
        query_at(
            (url, &self.region),
            "elasticloadbalancing",
            "2015-12-01",
            action,
            parameters,
        )
    }

    /// Calls Elastic Load Balancing; its answer as text.
    ///
    /// # Panics
    /// If it refuses.
    pub fn elb(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query("elasticloadbalancing", "2015-12-01", action, parameters)
    }

    /// Calls CloudWatch; its answer as text.
    ///
    /// # Panics
    /// If it refuses.
    pub fn cloudwatch(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query("monitoring", "2010-08-01", action, parameters)
    }

    /// Makes an alarm that nothing sets off.
    ///
    /// # Panics
    /// If that is refused.
    pub fn alarm(&self, name: &str) {
        let parameters = [
            ("AlarmName", name),
            ("Namespace", "AWS/ApplicationELB"),
            ("MetricName", "HTTPCode_Target_5XX_Count"),
            ("Statistic", "Sum"),
            ("Period", "60"),
            ("EvaluationPeriods", "1"),
            ("Threshold", "3"),
            ("ComparisonOperator", "GreaterThanThreshold"),
        ];
        self.cloudwatch("PutMetricAlarm", &parameters);
    }

    /// Calls EC2, and takes the first value of a field of the answer.
    pub(super) fn ec2(&self, action: &str, parameters: &[(&str, &str)], field: &str) -> String {
        value(&self.query("ec2", "2016-11-15", action, parameters), field)
    }

    /// Calls EC2; its answer as text.
    ///
    /// # Panics
    /// If it refuses.
    pub fn instances(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query("ec2", "2016-11-15", action, parameters)
    }

    /// Calls EC2 Auto Scaling; its answer as text.
    ///
    /// # Panics
    /// If it refuses.
    pub fn groups(&self, action: &str, parameters: &[(&str, &str)]) -> String {
        self.query("autoscaling", "2011-01-01", action, parameters)
    }

    /// Makes a subnet in a network of its own; its id.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn subnet_elsewhere(&self) -> String {
        let vpc = self.ec2("CreateVpc", &[("CidrBlock", "10.9.0.0/16")], "vpcId");
        let parameters = [("VpcId", vpc.as_str()), ("CidrBlock", "10.9.0.0/24")];
        self.ec2("CreateSubnet", &parameters, "subnetId")
    }

    /// Makes a role that this service can take and that may do what tasks need, long ago; its ARN.
    ///
    /// # Panics
    /// If that is refused.
    #[must_use]
    pub fn role(&self, name: &str, service: &str) -> String {
        let trust = json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service},
        }]});
        let parameters = [
            ("RoleName", name),
            ("AssumeRolePolicyDocument", &trust.to_string()),
            // `scripts/parts/ecs/account.py`
            ("Tags.member.1.Key", "test:created"),
            ("Tags.member.1.Value", "2020-01-01T00:00:00Z"),
        ];
        let made = self.query("iam", "2010-05-08", "CreateRole", &parameters);
        let tasks = ["ecr", "logs", "s3", "secretsmanager", "ssm"];
        let actions = tasks.map(|service| format!("{service}:*"));
        self.may(
            name,
            &json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}]),
        );
        value(&made, "Arn")
    }

    /// From now on a role may do what these statements say.
    ///
    /// # Panics
    /// If that is refused.
    pub fn may(&self, role: &str, statements: &Value) {
        let document = json!({"Version": "2012-10-17", "Statement": statements});
        let parameters = [
            ("RoleName", role),
            ("PolicyName", "own"),
            ("PolicyDocument", &document.to_string()),
        ];
        self.query("iam", "2010-05-08", "PutRolePolicy", &parameters);
    }

    fn query(
        &self,
        service: &str,
        version: &str,
        action: &str,
        parameters: &[(&str, &str)],
    ) -> String {
        let at = (self.part.url.as_str(), self.region.as_str());
        let answer = query_at(at, service, version, action, parameters);
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        answer.text()
    }
}

/// Asks at this URL, in this region.
pub(super) fn json_at(
    (url, region): (&str, &str),
    service: &str,
    target: &str,
    operation: &str,
    body: &Value,
) -> Response {
    let headers = [
        ("x-amz-target", format!("{target}.{operation}")),
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("authorization", authorization_in(region, service)),
    ];
    let headers = headers
        .each_ref()
        .map(|(name, value)| (*name, value.as_str()));
    Client::new(url)
        .request("POST", "/", &headers, body.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{operation}: {error}"))
}

fn query_at(
    (url, region): (&str, &str),
    service: &str,
    version: &str,
    action: &str,
    parameters: &[(&str, &str)],
) -> Response {
    let fixed = [("Action", action), ("Version", version)];
    let form: Vec<_> = fixed
        .iter()
        .chain(parameters)
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", &authorization_in(region, service)),
    ];
    Client::new(url)
        .request("POST", "/", &headers, form.join("&").as_bytes())
        .unwrap_or_else(|error| panic!("{action}: {error}"))
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// What stands in each `<field>…</field>`.
pub(super) fn values(xml: &str, field: &str) -> Vec<String> {
    let (open, close) = (format!("<{field}>"), format!("</{field}>"));
    xml.split(&open)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned()))
        .collect()
}

/// The first of them.
///
/// # Panics
/// If there is none.
pub(super) fn value(xml: &str, field: &str) -> String {
    let first = values(xml, field).into_iter().next();
    first.unwrap_or_else(|| panic!("no {field} in {xml}"))
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The last parts of ARNs.
pub(super) fn names(arns: &Value) -> Vec<String> {
    let arns = arns.as_array().cloned().unwrap_or_default();
    arns.iter()
        .map(|arn| text(arn).rsplit('/').next().unwrap_or_default().to_owned())
        .collect()
}
