//! The part of the `provider` block that says where a registry on AWS is and how AWS is reached: the names, meanings and
//! environment variables of the AWS provider.

use std::collections::BTreeMap;

use tfplugin::schema::{Attribute, Block};
use tfplugin::types::Type;
use tfplugin::{Attr, Secret, validate};

tfplugin::object! {
    /// The block `registry`. At plan, what this configuration has yet to make is unknown.
    pub(crate) struct Place {
        /// The DynamoDB table.
        pub(crate) table: Attr<String>,
        /// The S3 bucket.
        pub(crate) bucket: Attr<String>,
        /// What all keys in the bucket begin with.
        pub(crate) prefix: Attr<String>,
        /// The key that encrypts what is written to the bucket.
        pub(crate) kms_key_arn: Attr<String>,
    }

    /// The block `assume_role`.
    pub(crate) struct AssumeRole {
        /// The role.
        pub(crate) role_arn: String,
        /// How long its credentials last.
        pub(crate) duration: Option<String>,
        /// What the role's owner asks third parties to name.
        pub(crate) external_id: Option<String>,
        /// A policy that narrows the role's.
        pub(crate) policy: Option<String>,
        /// Managed policies that narrow the role's.
        pub(crate) policy_arns: Option<Vec<String>>,
        /// The session's name in the audit log.
        pub(crate) session_name: Option<String>,
        /// Who acts, for the audit log.
        pub(crate) source_identity: Option<String>,
        /// Session tags.
        pub(crate) tags: Option<BTreeMap<String, String>>,
        /// Those that roles taken on later keep.
        pub(crate) transitive_tag_keys: Option<Vec<String>>,
    }

    /// The block `assume_role_with_web_identity`.
    pub(crate) struct WebIdentity {
        /// The role.
        pub(crate) role_arn: Option<String>,
        /// How long its credentials last.
        pub(crate) duration: Option<String>,
        /// A policy that narrows the role's.
        pub(crate) policy: Option<String>,
        /// Managed policies that narrow the role's.
        pub(crate) policy_arns: Option<Vec<String>>,
        /// The session's name in the audit log.
        pub(crate) session_name: Option<String>,
        /// The token.
        pub(crate) web_identity_token: Option<Secret<String>>,
        /// The file with the token.
        pub(crate) web_identity_token_file: Option<String>,
    }

    /// The block `endpoints`.
    pub(crate) struct Endpoints {
        /// Of Certificate Manager.
        pub(crate) acm: Option<String>,
        /// Of Application Auto Scaling.
        pub(crate) appautoscaling: Option<String>,
        /// Of DynamoDB.
        pub(crate) dynamodb: Option<String>,
        /// Of Route 53.
        pub(crate) route53: Option<String>,
        /// Of S3.
        pub(crate) s3: Option<String>,
        /// Of KMS.
        pub(crate) kms: Option<String>,
        /// Of Secrets Manager.
        pub(crate) secretsmanager: Option<String>,
        /// Of Service Quotas.
        pub(crate) servicequotas: Option<String>,
        /// Of STS.
        pub(crate) sts: Option<String>,
        /// Of ECS.
        pub(crate) ecs: Option<String>,
        /// Of Elastic Load Balancing.
        pub(crate) elbv2: Option<String>,
        /// Of CloudWatch.
        pub(crate) cloudwatch: Option<String>,
        /// Of EC2.
        pub(crate) ec2: Option<String>,
        /// Of EC2 Auto Scaling.
        pub(crate) autoscaling: Option<String>,
        /// Of ECR.
        pub(crate) ecr: Option<String>,
        /// Of IAM.
        pub(crate) iam: Option<String>,
        /// Of CloudWatch Logs.
        pub(crate) logs: Option<String>,
    }

    /// The block `server_image`.
    pub(crate) struct ServerImage {
        /// The image.
        pub(crate) uri: String,
    }
}

/// Declares the attributes and blocks of this part..
pub(crate) fn declare(block: Block) -> Block {
    let block = block
        .attribute("region", text("The AWS region of the registry. Environment: `AWS_REGION`, `AWS_DEFAULT_REGION`."))
        .attribute("profile", text("A profile of the shared configuration files. Environment: `AWS_PROFILE`."))
        .attribute("access_key", text("Environment: `AWS_ACCESS_KEY_ID`. Prefer roles and profiles."))
        .attribute("secret_key", text("Environment: `AWS_SECRET_ACCESS_KEY`.").sensitive())
        .attribute("token", text("A session token. Environment: `AWS_SESSION_TOKEN`.").sensitive())
        .attribute("shared_config_files", texts("In place of `~/.aws/config`. Environment: `AWS_CONFIG_FILE`."))
        .attribute(
            "shared_credentials_files",
            texts("In place of `~/.aws/credentials`. Environment: `AWS_SHARED_CREDENTIALS_FILE`."),
        )
        .attribute("allowed_account_ids", texts("The accounts that the credentials may belong to; any other is refused."))
        .attribute("forbidden_account_ids", texts("The accounts that the credentials must not belong to."))
        .attribute("sts_region", text("Where STS is asked, if not in `region`."))
        .attribute(
            "max_retries",
            Attribute::number().optional().validate(validate::whole()).validate(validate::at_least(0)).describe(
                "How often a call is tried again at most, within its time. Environment: `AWS_MAX_ATTEMPTS`, less one. \
                 Default: time alone decides.",
            ),
        )
        .attribute(
            "retry_mode",
            text("`standard`, or `adaptive`: all calls share a rate that falls when AWS throttles. Environment: `AWS_RETRY_MODE`.")
                .validate(validate::one_of(["standard", "adaptive"])),
        )
        .attribute("http_proxy", text("The proxy for HTTP, and for HTTPS unless that has its own. Environment: `HTTP_PROXY`."))
        .attribute("https_proxy", text("The proxy for HTTPS; empty: none. Environment: `HTTPS_PROXY`."))
        .attribute("no_proxy", text("Hosts that are reached directly, separated by commas. Environment: `NO_PROXY`."))
        .attribute(
            "custom_ca_bundle",
            text("A file of PEM certificates that are trusted beside the system's. Environment: `AWS_CA_BUNDLE`."),
        )
        .attribute("use_fips_endpoint", flag("Uses FIPS endpoints. Environment: `AWS_USE_FIPS_ENDPOINT`."))
        .attribute("use_dualstack_endpoint", flag("Uses IPv6 endpoints. Environment: `AWS_USE_DUALSTACK_ENDPOINT`."))
        .attribute("s3_use_path_style", flag("Writes `https://host/bucket/key`, as most emulators want."))
        .attribute(
            "skip_credentials_validation",
            flag("Does not ask STS whose the credentials are, unless account ids have to be compared."),
        )
        .attribute("skip_region_validation", flag("Takes a region that does not look like one."))
        .attribute(
            "skip_metadata_api_check",
            flag("Does not ask the instance's metadata service for credentials. Environment: `AWS_EC2_METADATA_DISABLED`."),
        );
    block
        .single("registry", registry())
        .single("assume_role", assume_role())
        .single("assume_role_with_web_identity", web_identity())
        .single("endpoints", endpoints())
        .single("server_image", server_image())
}

fn registry() -> Block {
    Block::new()
        .describe(
            "A registry on AWS: records in a DynamoDB table, artifacts in an S3 bucket. The provider makes neither. They exist already, \
             or the same configuration makes them: while `table` is not known, because it is the ARN of one that is yet to be made, \
             a plan takes the registry as empty. Without this block the registry is embedded.",
        )
        .attribute(
            "table",
            Attribute::string().required().describe("The DynamoDB table, by name or ARN: partition key `PK`, sort key `SK`, both strings."),
        )
        .attribute("bucket", Attribute::string().required().describe("The S3 bucket of the artifacts."))
        .attribute("prefix", text("What all keys in the bucket begin with. Default: nothing."))
        .attribute(
            "kms_key_arn",
            text("The KMS key that encrypts what is written to the bucket. Default: what the bucket itself says."),
        )
}

fn assume_role() -> Block {
    Block::new()
        .describe("A role to take on with the credentials that were found.")
        .attribute(
            "role_arn",
            Attribute::string().required().describe("The role."),
        )
        .attribute("duration", duration())
        .attribute(
            "external_id",
            text("What the role's owner asks third parties to name."),
        )
        .attribute(
            "policy",
            text("A policy, as JSON, that narrows the role's.").validate(validate::json()),
        )
        .attribute(
            "policy_arns",
            texts("Managed policies that narrow the role's."),
        )
        .attribute("session_name", text("The session's name in the audit log."))
        .attribute(
            "source_identity",
            text("Who acts, for the audit log; roles taken on later cannot change it."),
        )
        .attribute(
            "tags",
            Attribute::map(Type::String)
                .optional()
                .describe("Session tags."),
        )
        .attribute(
            "transitive_tag_keys",
            texts("Those of `tags` that roles taken on later keep."),
        )
}

fn web_identity() -> Block {
    Block::new()
        .describe("A role to take on with a token of an identity provider, as CI systems and Kubernetes hand out.")
        .attribute("role_arn", text("The role. Environment: `AWS_ROLE_ARN`."))
        .attribute("duration", duration())
        .attribute("policy", text("A policy, as JSON, that narrows the role's.").validate(validate::json()))
        .attribute("policy_arns", texts("Managed policies that narrow the role's."))
        .attribute("session_name", text("The session's name in the audit log. Environment: `AWS_ROLE_SESSION_NAME`."))
        .attribute("web_identity_token", text("The token itself.").sensitive())
        .attribute(
            "web_identity_token_file",
            text("The file with the token, read again whenever credentials are renewed. Environment: `AWS_WEB_IDENTITY_TOKEN_FILE`."),
        )
}

fn endpoints() -> Block {
    Block::new()
        .describe("Where services answer, in place of AWS: URLs with `http://` or `https://`.")
        .attribute(
            "acm",
            text("Environment: `AWS_ENDPOINT_URL_ACM`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "appautoscaling",
            text("Environment: `AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "dynamodb",
            text("Environment: `AWS_ENDPOINT_URL_DYNAMODB`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "route53",
            text("Environment: `AWS_ENDPOINT_URL_ROUTE_53`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "s3",
            text("Environment: `AWS_ENDPOINT_URL_S3`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "kms",
            text("Environment: `AWS_ENDPOINT_URL_KMS`, `AWS_ENDPOINT_URL`. Policies of keys are read, and nothing is encrypted or decrypted."),
        )
        .attribute(
            "secretsmanager",
            text("Environment: `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `AWS_ENDPOINT_URL`. Policies of secrets are read, and no secret is."),
        )
        .attribute(
            "servicequotas",
            text("Environment: `AWS_ENDPOINT_URL_SERVICE_QUOTAS`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "sts",
            text("Environment: `AWS_ENDPOINT_URL_STS`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "ecs",
            text("Environment: `AWS_ENDPOINT_URL_ECS`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "elbv2",
            text("Environment: `AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "cloudwatch",
            text("Environment: `AWS_ENDPOINT_URL_CLOUDWATCH`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "ec2",
            text("Environment: `AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "autoscaling",
            text("Of EC2 Auto Scaling. Environment: `AWS_ENDPOINT_URL_AUTO_SCALING`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "ecr",
            text("Environment: `AWS_ENDPOINT_URL_ECR`, `AWS_ENDPOINT_URL`. Of its API; images are pushed to the host in their names."),
        )
        .attribute(
            "iam",
            text("Environment: `AWS_ENDPOINT_URL_IAM`, `AWS_ENDPOINT_URL`."),
        )
        .attribute(
            "logs",
            text("Environment: `AWS_ENDPOINT_URL_CLOUDWATCH_LOGS`, `AWS_ENDPOINT_URL`."),
        )
}

fn server_image() -> Block {
    Block::new()
        .describe("The image of the model server, for endpoints whose models run in containers.")
        .attribute(
            "uri",
            Attribute::string().required().describe(
                "The image, `REPOSITORY:TAG` or `REPOSITORY@sha256:DIGEST`. A tag is resolved to its digest at plan, and another digest is a planned \
                 change of every endpoint whose models run by it.",
            ),
        )
}

fn text(what: &str) -> Attribute {
    Attribute::string().optional().describe(what)
}

fn texts(what: &str) -> Attribute {
    Attribute::list(Type::String).optional().describe(what)
}

fn flag(what: &str) -> Attribute {
    Attribute::bool().optional().describe(what)
}

fn duration() -> Attribute {
    text("How long its credentials last, such as `1h`: 15 minutes to 12 hours. Default: 1 hour.")
        .validate(validate::duration())
}
