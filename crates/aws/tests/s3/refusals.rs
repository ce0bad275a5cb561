//! One clear message for each way in which a bucket is not to be used.

use mlops_aws::s3::S3Settings;
use mlops_core::Class;
use mlops_core::artifacts::{ArtifactStore as _, NoDigestCache};

use crate::bucket::{self, tree};
use crate::proxy::{Fault, Proxy};
use crate::support::part;

const WRITES: [&str; 2] = ["PutObject", "CreateMultipartUpload"];

async fn refused(fault: Fault, class: Class, attribute: &str, says: &[&str]) {
    let Some(part) = part::versitygw() else {
        return;
    };
    let (name, proxy) = (
        bucket::create(&part.url).await,
        Proxy::before(&part.url).await,
    );
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", b"abc")]);
    let settings = S3Settings {
        kms_key_arn: Some("arn:aws:kms:eu-west-1:111122223333:key/abc".to_owned()),
        ..bucket::small_parts(&name)
    };
    let store = bucket::store_with(&proxy.url, settings);
    for write in WRITES {
        proxy.fail_always(write, fault);
    }
    let error = store
        .put_tree(&source, &NoDigestCache)
        .await
        .expect_err("refused");
    let text = error.to_string();
    assert_eq!(error.class(), class, "{text}");
    assert_eq!(error.attribute(), Some(attribute), "{text}");
    for words in says {
        assert!(text.contains(words), "{words:?} is not in: {text}");
    }
    assert!(
        text.contains(&name) || attribute == "registry.kms_key_arn",
        "{text}"
    );
    assert!(
        error.chain().to_string().contains("PROXY4REQUEST"),
        "{}",
        error.chain()
    );
    assert_eq!(proxy.count("PutObject"), 1, "no second try");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_in_another_region_is_named_with_its_region() {
    refused(
        Fault::Elsewhere,
        Class::Invalid,
        "registry.bucket",
        &[
            "lies in region eu-central-1",
            "this provider works in eu-west-1",
            "set region",
        ],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_denies_is_named_with_the_action_to_permit() {
    refused(
        Fault::Refused(403, "AccessDenied", "Access Denied"),
        Class::Denied,
        "registry.bucket",
        &["S3 PutObject on s3://", "s3:PutObject there"],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_denies_is_named_with_the_actions_to_permit() {
    let message = "User: arn:aws:iam::111122223333:user/x is not authorized to perform: kms:GenerateDataKey on this resource";
    for fault in [
        Fault::Refused(403, "AccessDenied", message),
        Fault::Refused(400, "KMS.DisabledException", "the key is disabled"),
    ] {
        refused(
            fault,
            Class::Denied,
            "registry.kms_key_arn",
            &[
                "arn:aws:kms:eu-west-1:111122223333:key/abc",
                "kms:GenerateDataKey and kms:Decrypt",
                "enabled",
            ],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_does_not_exist_is_named_with_the_module_that_makes_it() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", b"abc")]);
    let store = bucket::store(&part.url, "no-such-bucket");
    let put = store
        .put_tree(&source, &NoDigestCache)
        .await
        .expect_err("missing");
    let digest = mlops_core::artifacts::Digest::of(b"x");
    let got = store.get(&digest).await.expect_err("missing");
    for error in [put, got] {
        let text = error.to_string();
        assert_eq!(error.attribute(), Some("registry.bucket"), "{text}");
        assert!(
            text.contains(
                "bucket no-such-bucket does not exist in eu-west-1; make it with modules/registry"
            ),
            "{text}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_of_another_account_is_refused_naming_the_account() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = bucket::create(&part.url).await;
    let scratch = tempfile::tempdir().expect("directory");
    let source = tree(scratch.path(), &[("a.bin", b"abc")]);
    let settings = S3Settings {
        expected_bucket_owner: Some("111122223333".to_owned()),
        ..bucket::small_parts(&name)
    };
    let store = bucket::store_with(&part.url, settings);
    let put = store
        .put_tree(&source, &NoDigestCache)
        .await
        .expect_err("refused");
    let digest = mlops_core::artifacts::Digest::of(b"x");
    let got = store.get(&digest).await.expect_err("refused");
    for error in [put, got] {
        let text = error.to_string();
        assert_eq!(error.class(), Class::Denied, "{text}");
        assert_eq!(error.attribute(), Some("registry.bucket"), "{text}");
        assert!(
            text.contains("check that the bucket belongs to account 111122223333"),
            "{text}"
        );
    }
    assert_eq!(bucket::keys(&part.url, &name).await, Vec::<String>::new());
}
