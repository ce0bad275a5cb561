//! Sources of versions that lie in a bucket already.

use std::time::Duration;

use mlops_aws::s3::S3Sources;
use mlops_aws::{AwsClients, Patience};
use mlops_core::Class;
use mlops_core::artifacts::{NoDigestCache, RemoteSource as _, hash_source};

use crate::bucket::{self, noise, tree};
use crate::proxy::{Fault, Proxy};
use crate::support::part::{self, Part};

fn sources(url: &str) -> S3Sources {
    let patience = Patience {
        total: Duration::from_secs(30),
        unreachable: Duration::from_secs(2),
        attempt: Duration::from_secs(2),
    };
    let clients = AwsClients::with_patience(bucket::settings(url), patience).expect("settings");
    S3Sources::with_clients(clients)
}

/// A bucket in which a training job left its model.
async fn trained(part: &Part, files: &[(&str, &[u8])]) -> String {
    let name = bucket::create(&part.url).await;
    for (key, bytes) in files {
        bucket::write(&part.url, &name, key, bytes).await;
    }
    name
}

async fn both(test: impl AsyncFn(&Part)) {
    for part in [part::versitygw(), part::ministack()].into_iter().flatten() {
        test(part).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefix_is_fetched_as_the_directory_that_it_is() {
    both(async |part: &Part| {
        let large = noise(1, 700_000);
        let files: &[(&str, &[u8])] = &[
            ("model.onnx", b"abc"),
            ("weights/a b.bin", &large),
            ("empty", b""),
        ];
        let keys: Vec<String> = files
            .iter()
            .map(|(path, _)| format!("run/7/{path}"))
            .collect();
        let mut objects: Vec<(&str, &[u8])> = keys
            .iter()
            .map(String::as_str)
            .zip(files.iter().map(|(_, bytes)| *bytes))
            .collect();
        // What a console leaves, and a neighbour whose name begins alike.
        objects.push(("run/7/weights/", b""));
        objects.push(("run/7-old/model.onnx", b"old"));
        let name = trained(part, &objects).await;
        let (sources, scratch) = (sources(&part.url), tempfile::tempdir().expect("directory"));
        let here = tree(scratch.path(), files);
        let expected = hash_source(&here, &NoDigestCache).expect("hashed");
        for uri in [format!("s3://{name}/run/7"), format!("s3://{name}/run/7/")] {
            let found = sources.look(&uri).await.expect("looked");
            let out = tempfile::tempdir().expect("directory");
            sources.fetch(&found, out.path()).await.expect("fetched");
            let artifact = hash_source(&found.below(out.path()), &NoDigestCache);
            assert_eq!(artifact.expect("hashed").digest, expected.digest, "{uri}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_object_is_fetched_as_the_file_that_it_is() {
    both(async |part: &Part| {
        let objects: &[(&str, &[u8])] = &[("m/digits.ONNX", b"abc"), ("m/digits.ONNX.json", b"{}")];
        let name = trained(part, objects).await;
        let sources = sources(&part.url);
        let uri = format!("s3://{name}/m/digits.ONNX");
        let found = sources.look(&uri).await.expect("looked");
        let out = tempfile::tempdir().expect("directory");
        sources.fetch(&found, out.path()).await.expect("fetched");
        let artifact = hash_source(&found.below(out.path()), &NoDigestCache).expect("hashed");
        let paths: Vec<_> = artifact
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect();
        assert_eq!(paths, ["model.onnx"]);

        let before = found.fingerprint();
        assert_eq!(
            sources.look(&uri).await.expect("looked").fingerprint(),
            before
        );
        bucket::write(&part.url, &name, "m/digits.ONNX", b"abd").await;
        assert_ne!(
            sources.look(&uri).await.expect("looked").fingerprint(),
            before
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_is_not_there_or_may_not_be_read_is_named() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = trained(part, &[("m/model.onnx", b"abc")]).await;
    let proxy = Proxy::before(&part.url).await;
    let sources = sources(&proxy.url);
    for (uri, fault, class, says) in [
        (
            format!("s3://{name}/nothing"),
            None,
            Class::NotFound,
            "does not exist",
        ),
        (
            format!("s3://{name}-x/m"),
            None,
            Class::Invalid,
            "correct the source, region or the credentials",
        ),
        (
            format!("s3://{name}/m/"),
            Some(Fault::Refused(403, "AccessDenied", "Access Denied")),
            Class::Denied,
            "s3:ListBucket there",
        ),
        (
            format!("s3://{name}/m/"),
            Some(Fault::Elsewhere),
            Class::Invalid,
            "copy the model to a bucket in eu-west-1",
        ),
    ] {
        proxy.reset();
        if let Some(fault) = fault {
            proxy.fail_always("ListObjectsV2", fault);
        }
        let error = sources.look(&uri).await.expect_err(&uri);
        assert_eq!(error.class(), class, "{uri}: {error}");
        assert_eq!(error.attribute(), Some("source"), "{uri}: {error}");
        assert!(error.to_string().contains(says), "{uri}: {error}");
    }
    proxy.reset();
    let found = sources
        .look(&format!("s3://{name}/m/"))
        .await
        .expect("looked");
    let archived = Fault::Refused(
        403,
        "InvalidObjectState",
        "The operation is not valid for the object's storage class",
    );
    proxy.fail_always("GetObject", archived);
    let out = tempfile::tempdir().expect("directory");
    let error = sources
        .fetch(&found, out.path())
        .await
        .expect_err("archived");
    assert!(error.to_string().contains("lies in an archive"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_changes_while_it_is_fetched_is_refused() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let name = trained(part, &[("m/model.onnx", &noise(1, 3 << 20))]).await;
    let sources = sources(&part.url);
    let found = sources
        .look(&format!("s3://{name}/m/model.onnx"))
        .await
        .expect("looked");
    for other in [Some(noise(2, 3 << 20)), None] {
        match other {
            Some(bytes) => bucket::write(&part.url, &name, "m/model.onnx", &bytes).await,
            None => {
                let client = bucket::client(&part.url);
                let gone = client.delete_object().bucket(&name).key("m/model.onnx");
                gone.send().await.expect("deleted");
            }
        }
        let out = tempfile::tempdir().expect("directory");
        let error = sources
            .fetch(&found, out.path())
            .await
            .expect_err("changed");
        assert_eq!(error.class(), Class::Conflict, "{error}");
        assert!(
            error.to_string().contains("changed while it was read"),
            "{error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fetch_goes_on_where_the_connection_broke() {
    let Some(part) = part::versitygw() else {
        return;
    };
    let bytes = noise(1, 3 << 20);
    let name = trained(part, &[("model.onnx", &bytes)]).await;
    let proxy = Proxy::before(&part.url).await;
    let sources = sources(&proxy.url);
    let found = sources
        .look(&format!("s3://{name}/model.onnx"))
        .await
        .expect("looked");
    for number in [0, 1, 2] {
        proxy.fail("GetObject", number, Fault::Truncated);
    }
    let out = tempfile::tempdir().expect("directory");
    sources.fetch(&found, out.path()).await.expect("fetched");
    assert!(std::fs::read(found.below(out.path())).expect("file") == bytes);
    assert_eq!(proxy.count("GetObject"), 4);
}
