use super::*;

fn complete(settings: AwsSettings, env: &[(&str, &str)]) -> Result<AwsSettings> {
    let env: BTreeMap<&str, &str> = env.iter().copied().collect();
    settings.complete(&|name| env.get(name).map(|value| (*value).to_owned()))
}

#[test]
fn what_is_set_comes_before_the_environment() {
    let env = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_DEFAULT_REGION", "eu-west-2"),
        ("AWS_ENDPOINT_URL", "http://all"),
        ("AWS_ENDPOINT_URL_S3", "http://s3"),
        ("AWS_MAX_ATTEMPTS", "4"),
        ("AWS_RETRY_MODE", "adaptive"),
        ("AWS_CA_BUNDLE", "/ca.pem"),
        ("AWS_USE_FIPS_ENDPOINT", "true"),
        ("AWS_USE_DUALSTACK_ENDPOINT", "false"),
        ("AWS_EC2_METADATA_DISABLED", "TRUE"),
    ];
    let from_env = complete(AwsSettings::default(), &env).expect("legal");
    let expected = AwsSettings {
        region: Some("eu-west-1".into()),
        endpoints: Endpoints {
            acm: Some("http://all".into()),
            appautoscaling: Some("http://all".into()),
            autoscaling: Some("http://all".into()),
            cloudwatch: Some("http://all".into()),
            dynamodb: Some("http://all".into()),
            ec2: Some("http://all".into()),
            ecr: Some("http://all".into()),
            ecs: Some("http://all".into()),
            elbv2: Some("http://all".into()),
            iam: Some("http://all".into()),
            kms: Some("http://all".into()),
            logs: Some("http://all".into()),
            route53: Some("http://all".into()),
            s3: Some("http://s3".into()),
            secretsmanager: Some("http://all".into()),
            servicequotas: Some("http://all".into()),
            sts: Some("http://all".into()),
        },
        max_retries: Some(3),
        retry_mode: Some(RetryMode::Adaptive),
        custom_ca_bundle: Some("/ca.pem".into()),
        use_fips_endpoint: true,
        skip_metadata_api_check: true,
        ..AwsSettings::default()
    };
    assert_eq!(from_env, expected);

    let set = AwsSettings {
        region: Some("us-east-1".into()),
        endpoints: Endpoints {
            acm: Some("http://mine".into()),
            appautoscaling: Some("http://mine".into()),
            autoscaling: Some("http://mine".into()),
            cloudwatch: Some("http://mine".into()),
            dynamodb: Some("http://mine".into()),
            ec2: Some("http://mine".into()),
            ecr: Some("http://mine".into()),
            ecs: Some("http://mine".into()),
            elbv2: Some("http://mine".into()),
            iam: Some("http://mine".into()),
            kms: Some("http://mine".into()),
            logs: Some("http://mine".into()),
            route53: Some("http://mine".into()),
            s3: Some("http://mine".into()),
            secretsmanager: Some("http://mine".into()),
            servicequotas: Some("http://mine".into()),
            sts: Some("http://mine".into()),
        },
        max_retries: Some(0),
        retry_mode: Some(RetryMode::Standard),
        custom_ca_bundle: Some("/mine.pem".into()),
        use_fips_endpoint: true,
        skip_metadata_api_check: true,
        ..AwsSettings::default()
    };
    assert_eq!(complete(set.clone(), &env).expect("legal"), set);
    // An empty variable is none.
    let empty = complete(AwsSettings::default(), &[("AWS_REGION", "")]).expect("legal");
    assert_eq!(empty, AwsSettings::default());
}

#[test]
fn a_web_identity_takes_role_token_and_session_from_the_environment() {
    let block = AwsSettings {
        assume_role_with_web_identity: Some(AssumeRoleWithWebIdentity::default()),
        ..AwsSettings::default()
    };
    let env = [
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/ci"),
        ("AWS_ROLE_SESSION_NAME", "build-7"),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
    ];
    let role = complete(block.clone(), &env).expect("legal");
    let role = role.assume_role_with_web_identity.expect("a role");
    assert_eq!(role.role_arn.as_deref(), Some(env[0].1));
    assert_eq!(role.session_name.as_deref(), Some("build-7"));
    assert_eq!(role.web_identity_token_file, Some(PathBuf::from("/token")));
    let error = complete(block, &env[..1]).expect_err("no token");
    assert_eq!(
        error.attribute(),
        Some("assume_role_with_web_identity.web_identity_token_file")
    );
}

#[test]
fn what_cannot_be_used_is_refused_naming_the_attribute() {
    let fresh = AwsSettings::default;
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let role = |role: AssumeRole| AwsSettings {
        assume_role: Some(role),
        ..fresh()
    };
    let cases = [
        (
            AwsSettings {
                region: Some("europe".into()),
                ..fresh()
            },
            "region",
        ),
        (
            AwsSettings {
                region: Some("eu-west-1/x".into()),
                ..fresh()
            },
            "region",
        ),
        (
            AwsSettings {
                region: Some("a b".into()),
                skip_region_validation: true,
                ..fresh()
            },
            "region",
        ),
        (
            AwsSettings {
                access_key: Some("AKID".into()),
                ..fresh()
            },
            "secret_key",
        ),
        (
            AwsSettings {
                secret_key: Some(Secret::new("x")),
                ..fresh()
            },
            "access_key",
        ),
        (
            AwsSettings {
                allowed_account_ids: ids(&["12"]),
                ..fresh()
            },
            "allowed_account_ids",
        ),
        (
            AwsSettings {
                allowed_account_ids: ids(&["111122223333"]),
                forbidden_account_ids: ids(&["444455556666"]),
                ..fresh()
            },
            "forbidden_account_ids",
        ),
        (
            AwsSettings {
                endpoints: Endpoints {
                    s3: Some("localhost:9000".into()),
                    ..Endpoints::default()
                },
                ..fresh()
            },
            "endpoints.s3",
        ),
        (role(AssumeRole::default()), "assume_role.role_arn"),
        (
            role(AssumeRole {
                role_arn: "arn:aws:iam::111122223333:role/x".into(),
                duration: Some(Duration::from_secs(60)),
                ..AssumeRole::default()
            }),
            "assume_role.duration",
        ),
    ];
    for (settings, attribute) in cases {
        let error = complete(settings, &[]).expect_err(attribute);
        assert_eq!(error.attribute(), Some(attribute), "{error}");
        assert_eq!(error.class(), mlops_core::Class::Invalid);
    }
    for (name, value) in [("AWS_MAX_ATTEMPTS", "0"), ("AWS_RETRY_MODE", "often")] {
        let error = complete(fresh(), &[(name, value)]).expect_err(name);
        assert!(error.to_string().contains(name), "{error}");
    }
}

#[test]
fn regions_of_all_partitions_are_taken() {
    for region in [
        "eu-west-1",
        "us-gov-east-1",
        "cn-north-1",
        "us-iso-east-1",
        "ap-southeast-12",
    ] {
        check_region(region, false).expect(region);
    }
    check_region("local", true).expect("skipped");
}

#[test]
fn secrets_are_not_printed() {
    let settings = AwsSettings {
        secret_key: Some(Secret::new("hunter2")),
        token: Some(Secret::new("hunter2")),
        assume_role_with_web_identity: Some(AssumeRoleWithWebIdentity {
            web_identity_token: Some(Secret::new("hunter2")),
            ..AssumeRoleWithWebIdentity::default()
        }),
        ..AwsSettings::default()
    };
    let printed = format!("{settings:?}");
    assert!(
        printed.contains("hidden") && !printed.contains("hunter2"),
        "{printed}"
    );
}
