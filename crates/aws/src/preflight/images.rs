//! Whether the images of an endpoint are there, and run on the processors of its tasks.

use std::collections::BTreeMap;

use mlops_core::endpoint::spec::{Architecture, EcsSpec, EndpointSpec, LaunchType};
use mlops_core::images::{Image, Images, Platform, Reference};
use mlops_core::target::{Check, Finding};
use mlops_core::{Class, Error};

/// An image that tasks run, with the processors that they are given, and the attributes at fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Wanted {
    image: String,
    /// `None` if the cluster's instances decide.
    architecture: Option<Architecture>,
}

/// Who wants it.
#[derive(Debug, Clone)]
struct Wants {
    /// The attribute that names the image.
    named: String,
    /// Who says what it runs on.
    decides: Decides,
}

/// What decides on the processors of a task.
#[derive(Debug, Clone)]
enum Decides {
    /// This attribute.
    Attribute(String),
    /// The type of the endpoint's own instances.
    Instances(String),
    /// Nothing that is known, and so the default of Fargate, if it runs there.
    Default,
}

/// Looks at the images of an endpoint.
pub(crate) async fn look(images: &dyn Images, spec: &EndpointSpec, ecs: &EcsSpec) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (wanted, wants) in wanted(spec, ecs) {
        findings.extend(judge(images, &wanted, &wants).await);
    }
    findings
}

fn wanted(spec: &EndpointSpec, ecs: &EcsSpec) -> BTreeMap<Wanted, Wants> {
    let own = ecs.capacity.machines();
    let machine = own.and_then(|own| Some((own.machine()?, &own.instance_type)));
    let (by_default, decides) = match machine {
        Some((machine, kind)) => (Some(machine.architecture), Decides::Instances(kind.clone())),
        None => {
            let is_fargate = ecs.capacity.launch_type() == LaunchType::Fargate;
            (is_fargate.then_some(Architecture::X86_64), Decides::Default)
        }
    };
    let variants = spec.variants.iter();
    let wanted = variants.map(|(name, variant)| {
        let own = variant.workload.own_image();
        let asked = variant.container.architecture;
        let wanted = Wanted {
            image: own.unwrap_or(&ecs.image).to_owned(),
            architecture: asked.or(by_default),
        };
        let wants = Wants {
            named: match (own, variant.workload.bound()) {
                (None, _) => "ecs".to_owned(),
                (Some(_), Some(_)) => format!("variants.{name}.model"),
                (Some(_), None) => format!("variants.{name}.image"),
            },
            decides: match asked {
                Some(_) => Decides::Attribute(format!("variants.{name}.architecture")),
                None => decides.clone(),
            },
        };
        (wanted, wants)
    });
    wanted.collect()
}

async fn judge(images: &dyn Images, wanted: &Wanted, wants: &Wants) -> Option<Finding> {
    // The specification was checked: what names no image has been refused.
    let image: Reference = wanted.image.parse().ok()?;
    match images.look(&image, false).await {
        Ok(Some(found)) => misfit(&image, &found, wanted, wants),
        Ok(None) => {
            let error = Error::invalid(format!(
                "there is no image {image}: its repository does not have it; push it, or name another"
            ));
            Some(Finding::certain(Check::Images, error.at(&wants.named)))
        }
        // Its repository may be made before the apply.
        Err(error) if error.class() == Class::NotFound => {
            Some(Finding::as_it_is(Check::Images, error.at(&wants.named)))
        }
        Err(error) => Some(Finding::possible(Check::Images, error.at(&wants.named))),
    }
}

fn misfit(image: &Reference, found: &Image, wanted: &Wanted, wants: &Wants) -> Option<Finding> {
    let platform = Platform::of(wanted.architecture?);
    if found.platforms.contains(&platform) {
        return None;
    }
    let all: Vec<String> = found.platforms.iter().map(ToString::to_string).collect();
    let other = [Architecture::Arm64, Architecture::X86_64]
        .into_iter()
        .find(|other| found.platforms.contains(&Platform::of(*other)));
    let build = format!("build it for {platform}");
    let (by, how, attribute) = match (&wants.decides, other) {
        (Decides::Attribute(runs), _) => {
            let how = format!("correct architecture, or {build}");
            (String::new(), how, runs)
        }
        (Decides::Instances(kind), other) => {
            let how = other.map(Platform::of).map_or(build.clone(), |other| {
                format!("set ecs.asg.instance_type to one for {other}, or {build}")
            });
            let by = format!(", which instances of type {kind} run");
            (by, how, &wants.named)
        }
        (Decides::Default, other) => {
            let how = match other {
                Some(Architecture::Arm64) => format!("set architecture = \"ARM64\", or {build}"),
                _ => build,
            };
            let by = ", which Fargate runs by default";
            (by.to_owned(), how, &wants.named)
        }
    };
    let error = Error::invalid(format!(
        "image {image} is for {}, and the tasks are for {platform}{by}; {how}",
        match all.is_empty() {
            true => "no platform".to_owned(),
            false => all.join(" and "),
        }
    ));
    Some(Finding::certain(Check::Images, error.at(attribute)))
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use mlops_core::Result;
    use mlops_core::target::Verdict;
    use serde_json::json;

    use super::*;

    /// Registries with one image, for these.
    struct Has(&'static [&'static str]);

    #[async_trait]
    impl Images for Has {
        async fn digest(&self, image: &Reference) -> Result<Option<String>> {
            Ok(image.digest().map(str::to_owned))
        }

        async fn look(&self, image: &Reference, _: bool) -> Result<Option<Image>> {
            match image.repository() {
                "gone" => return Ok(None),
                "later" => return Err(Error::not_found("no such repository")),
                "denied" => return Err(Error::denied("not allowed")),
                _ => {}
            }
            let platforms = self.0.iter().map(|architecture| Platform {
                os: "linux".to_owned(),
                architecture: (*architecture).to_owned(),
            });
            Ok(Some(Image {
                digest: image.selector().to_owned(),
                platforms: platforms.collect(),
                size: None,
            }))
        }
    }

    /// `runs` is a launch type, or the type of instances of the endpoint's own.
    async fn found(
        has: &'static [&'static str],
        repository: Option<&str>,
        container: serde_json::Value,
        runs: &str,
    ) -> Vec<(Verdict, Class, String, String)> {
        let pinned =
            |repository: &str| format!("example.com/{repository}@sha256:{}", "a".repeat(64));
        let mut variant = match repository {
            Some(repository) => json!({"image": pinned(repository)}),
            None => json!({"model": "digits", "version": 1, "artifact_digest": "sha256:aa"}),
        };
        variant["traffic"] = json!(100.0);
        variant["container"] = container;
        let mut ecs = json!({
            "cluster": "prod", "creates_cluster": true,
            "execution_role_arn": "e", "task_role_arn": "t", "image": pinned("server"),
            "network": {"subnets": ["subnet-1"]},
            "ingress": {"listener": {"load_balancer_arn": "a", "port": {"leased": "20000-20099"}}},
        });
        match runs.contains('.') {
            true => {
                ecs["asg"] = json!({
                    "instance_type": runs, "instance_profile": "ecs", "min_size": 0, "max_size": 2,
                });
            }
            false => ecs["launch_type"] = json!(runs),
        }
        let spec = json!({
            "name": "digits", "variants": {"main": variant}, "target": {"ecs": ecs},
        });
        let spec: EndpointSpec = serde_json::from_value(spec).expect("a specification");
        let mlops_core::endpoint::spec::TargetSpec::Ecs(ecs) = &spec.target else {
            panic!("it is on ECS");
        };
        let findings = look(&Has(has), &spec, ecs).await;
        let told = findings.into_iter().map(|finding| {
            let attribute = finding.error.attribute().unwrap_or_default().to_owned();
            let class = finding.error.class();
            (finding.verdict, class, attribute, finding.error.to_string())
        });
        told.collect()
    }

    #[tokio::test]
    async fn an_image_that_does_not_run_on_the_processors_of_its_tasks_is_named_with_what_it_runs_on()
     {
        let any = json!({});
        for (has, container, launch_type, attribute, said) in [
            (
                &["arm64"][..],
                any.clone(),
                "FARGATE",
                "variants.main.image",
                "is for linux/arm64, and the tasks are for linux/amd64, which Fargate runs by default; set architecture = \"ARM64\", or build it for linux/amd64",
            ),
            (
                &["amd64"],
                json!({"architecture": "ARM64"}),
                "FARGATE",
                "variants.main.architecture",
                "is for linux/amd64, and the tasks are for linux/arm64; correct architecture, or build it for linux/arm64",
            ),
            (
                &["arm64"],
                json!({"architecture": "X86_64"}),
                "EC2",
                "variants.main.architecture",
                "correct architecture",
            ),
            (
                &["s390x", "ppc64le"],
                any.clone(),
                "FARGATE",
                "variants.main.image",
                "is for linux/s390x and linux/ppc64le, and",
            ),
        ] {
            let found = found(has, Some("own"), container, launch_type).await;
            let [(Verdict::Fails, Class::Invalid, at, told)] = &found[..] else {
                panic!("{found:?}");
            };
            assert_eq!(at, attribute);
            assert!(told.contains(said), "{said} is not in {told}");
        }
        for (has, container, launch_type) in [
            (&["amd64", "arm64"][..], any.clone(), "FARGATE"),
            (
                &["amd64", "arm64"],
                json!({"architecture": "ARM64"}),
                "FARGATE",
            ),
            // Which processors the instances have is not known here.
            (&["arm64"], any, "EC2"),
        ] {
            let found = found(has, Some("own"), container, launch_type).await;
            assert_eq!(found, [], "{has:?} {launch_type}");
        }
    }

    #[tokio::test]
    async fn an_image_runs_on_the_processors_of_the_endpoints_own_instances() {
        for (has, machine, said) in [
            (
                &["amd64"][..],
                "m7g.large",
                "is for linux/amd64, and the tasks are for linux/arm64, which instances of type m7g.large run; set ecs.asg.instance_type to one for linux/amd64, or build it for linux/arm64",
            ),
            (
                &["arm64"],
                "m7i.large",
                "is for linux/arm64, and the tasks are for linux/amd64, which instances of type m7i.large run; set ecs.asg.instance_type to one for linux/arm64, or build it for linux/amd64",
            ),
            (&["s390x"], "m7g.large", "run; build it for linux/arm64"),
        ] {
            let found = found(has, Some("own"), json!({}), machine).await;
            let [(Verdict::Fails, Class::Invalid, at, told)] = &found[..] else {
                panic!("{machine}: {found:?}");
            };
            assert_eq!(at, "variants.main.image");
            assert!(told.contains(said), "{said} is not in {told}");
        }
        for (has, machine) in [
            (&["arm64"][..], "m7g.large"),
            (&["amd64"], "m7i.large"),
            (&["amd64", "arm64"], "c7gn.large"),
        ] {
            let found = found(has, Some("own"), json!({}), machine).await;
            assert_eq!(found, [], "{has:?} {machine}");
        }
        // The model server's image is the provider's.
        let server = found(&["amd64"], None, json!({}), "m7g.large").await;
        assert_eq!(server[0].2, "ecs");
        // A variant's own word stands; that it contradicts the instances is refused before this.
        let own = json!({"architecture": "ARM64"});
        assert_eq!(found(&["arm64"], Some("own"), own, "m7i.large").await, []);
    }

    #[tokio::test]
    async fn an_image_that_is_not_there_is_certain_and_one_that_may_not_be_read_is_not() {
        let gone = found(&[], Some("gone"), json!({}), "FARGATE").await;
        let [(Verdict::Fails, Class::Invalid, at, told)] = &gone[..] else {
            panic!("{gone:?}");
        };
        assert_eq!(at, "variants.main.image");
        assert!(
            told.contains("there is no image example.com/gone@sha256:"),
            "{told}"
        );
        for (repository, verdict) in [
            ("denied", Verdict::MayFail),
            ("later", Verdict::FailsUnlessChanged),
        ] {
            let seen = found(&[], Some(repository), json!({}), "FARGATE").await;
            assert_eq!((seen.len(), seen[0].0), (1, verdict), "{repository}");
        }
        // The model server's image is the provider's.
        let server = found(&["arm64"], None, json!({}), "FARGATE").await;
        assert_eq!(server[0].2, "ecs");
        assert!(server[0].3.contains("example.com/server@"), "{server:?}");
    }
}
