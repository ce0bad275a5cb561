//! The realizing mode, against an emulator of AWS's API.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::host::Root;

/// An emulator that ends with its standard input, and so with this.
struct Emulator {
    address: String,
    child: Child,
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // Its standard input has ended, and so does it.
        let _ = self.child.wait();
    }
}

impl Emulator {
    /// Starts one; `None`, after saying so, where it cannot be had.
    fn start(test: &str) -> Option<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scripts/parts/ministack");
        if !script.exists() {
            println!("SKIP {test}: scripts/parts has no emulator");
            return None;
        }
        let child = Command::new(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the script starts");
        let mut emulator = Self {
            address: String::new(),
            child,
        };
        let mut lines = BufReader::new(emulator.child.stdout.take().expect("piped"));
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            if lines.read_line(&mut line).expect("text") == 0 {
                let status = emulator.child.wait().expect("an exit status");
                // The code with which the scripts say that a part cannot be put there.
                assert_eq!(status.code(), Some(3), "the emulator ended: {seen}");
                println!("SKIP {test}: the emulator cannot be put there");
                return None;
            }
            if let Some(address) = line.trim().strip_prefix("listening on ") {
                emulator.address = address.to_owned();
                std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
                return Some(emulator);
            }
            seen.push_str(&line);
        }
    }

    /// The status and the body that a request is answered with.
    fn ask(&self, method: &str, service: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the emulator listens");
        let scope = format!("test/20260101/us-east-1/{service}/aws4_request");
        let signed =
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0");
        let address = &self.address;
        let head =
            format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: {signed}");
        write!(
            stream,
            "{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        )
        .expect("the emulator listens");
        let mut answer = String::new();
        stream
            .read_to_string(&mut answer)
            .expect("the emulator answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).expect("a status line");
        (status.parse().expect("a status"), body.to_owned())
    }

    /// The status that a request for a bucket is answered with.
    fn bucket(&self, method: &str) -> u16 {
        self.ask(method, "s3", "/stub-realized").0
    }
}

#[test]
fn the_types_of_the_table_are_made_read_and_deleted_in_an_emulator_and_the_rest_is_listed() {
    let test =
        "the_types_of_the_table_are_made_read_and_deleted_in_an_emulator_and_the_rest_is_listed";
    let Some(emulator) = Emulator::start(test) else {
        return;
    };
    let Some(root) = Root::realizing(test, "realized", format!("http://{}", emulator.address))
    else {
        return;
    };
    root.apply();
    assert_eq!(emulator.bucket("HEAD"), 200, "the bucket is there");

    let (status, answer) = emulator.ask(
        "POST",
        "lambda",
        "/2015-03-31/functions/stub-hook/invocations",
    );
    assert!(
        status == 200 && answer.contains(r#""stage": "test""#),
        "the function runs: {status} {answer}"
    );

    // What it says to be real is what the table has, all of it, and the NAT gateway alone is not.
    let calls = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("facts/calls.json"))
        .expect("a facts file");
    let calls: Value = serde_json::from_str(&calls).expect("JSON");
    let table: BTreeSet<_> = calls["types"]
        .as_object()
        .expect("types")
        .keys()
        .cloned()
        .collect();
    let transcript = root.transcript();
    let of = |event: &str, realized: bool| -> BTreeSet<String> {
        let lines = transcript
            .iter()
            .filter(|line| line["event"] == event && line["realized"] == realized);
        lines
            .map(|line| line["type"].as_str().expect("a type").to_owned())
            .collect()
    };
    assert_eq!(of("create", true), table);
    assert_eq!(
        of("create", false),
        BTreeSet::from(["aws_nat_gateway".to_owned()])
    );

    root.succeeds(&["plan", "-input=false", "-detailed-exitcode"]);

    // Gone behind Terraform's back: it is made again, and nothing else is.
    assert_eq!(emulator.bucket("DELETE"), 204);
    let plan = root.plan();
    let changes = plan["resource_changes"].as_array().expect("changes").iter();
    let created: BTreeSet<_> = changes
        .filter(|change| change["change"]["actions"] == serde_json::json!(["create"]))
        .map(|change| change["address"].as_str().expect("an address"))
        .collect();
    assert!(created.contains("aws_s3_bucket.artifacts"), "{created:?}");
    assert!(
        created
            .iter()
            .all(|address| address.starts_with("aws_s3_bucket")),
        "{created:?}"
    );

    root.apply();
    // Two versions of an object, another object, and what is left of one that was deleted.
    for (method, key) in [
        ("PUT", "a/1"),
        ("PUT", "a/1"),
        ("PUT", "b"),
        ("DELETE", "b"),
    ] {
        let (status, _) = emulator.ask(method, "s3", &format!("/stub-realized/{key}"));
        assert!((200..300).contains(&status), "{method} {key}: {status}");
    }
    assert_eq!(emulator.bucket("DELETE"), 409, "the bucket is not empty");
    root.succeeds(&["destroy", "-auto-approve", "-input=false"]);
    assert_eq!(emulator.bucket("HEAD"), 404, "the bucket is gone");
}

#[test]
fn what_the_emulator_refuses_is_an_error_that_names_the_call() {
    let test = "what_the_emulator_refuses_is_an_error_that_names_the_call";
    let Some(emulator) = Emulator::start(test) else {
        return;
    };
    let endpoint = format!("http://{}", emulator.address);
    let role = [
        "apply",
        "-auto-approve",
        "-input=false",
        "-target=aws_iam_role.main",
    ];
    let Some(first) = Root::realizing(test, "realized", endpoint.clone()) else {
        return;
    };
    first.succeeds(&role);
    // The name is taken.
    let Some(second) = Root::realizing(test, "realized", endpoint) else {
        return;
    };
    let said = second.fails(&role);
    assert!(
        said.contains("CreateRole of aws_iam_role failed: status 409"),
        "{said}"
    );
}
