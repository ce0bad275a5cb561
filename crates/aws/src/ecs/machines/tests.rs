//! What is sent, and what answers mean.

use mlops_core::endpoint::spec::{AsgSpec, NetworkSpec};
use serde_json::{Value, json};

use super::*;
use crate::ecs::tests::owner;

const CLUSTER: &str = "arn:aws:ecs:eu-west-1:111122223333:cluster/mlops-digits";

fn asg(change: impl FnOnce(&mut Value)) -> AsgSpec {
    let mut asg = json!({
        "instance_type": "m7i.large", "instance_profile": "ecs", "min_size": 0, "max_size": 2,
    });
    change(&mut asg);
    serde_json::from_value(asg).expect("a block")
}

fn network() -> NetworkSpec {
    NetworkSpec {
        subnets: vec!["subnet-1".to_owned(), "subnet-2".to_owned()],
        security_groups: vec!["sg-1".to_owned()],
        ..NetworkSpec::default()
    }
}

fn sent(asg: &AsgSpec, form: impl Fn(&Wanted<'_>) -> crate::query::Form) -> String {
    let (owner, network) = (owner("digits"), network());
    let wanted = Wanted {
        owner: &owner,
        cluster: CLUSTER,
        asg,
        network: &network,
        name: "mlops-digits-1".to_owned(),
    };
    form(&wanted).body("A", "1")
}

fn template(asg: &AsgSpec) -> String {
    sent(asg, |wanted| template::form(wanted).expect("a form"))
}

#[test]
fn whatever_makes_other_instances_makes_another_name_and_nothing_else_does() {
    let owner = owner("digits");
    let named =
        |asg: &AsgSpec, network: &NetworkSpec| name(&owner, asg, network, 0).expect("a name");
    let first = named(&asg(|_| {}), &network());
    assert!(
        first.starts_with("mlops-digits-") && first.len() == 29,
        "{first}"
    );
    for (key, value) in [
        ("instance_type", json!("m7i.xlarge")),
        ("instance_profile", json!("other")),
        ("min_size", json!(1)),
        ("max_size", json!(3)),
        ("image", json!({"ami": "ami-1"})),
        ("volume", json!({"size_gb": 31})),
        ("subnets", json!(["subnet-1"])),
        ("security_groups", json!(["sg-2"])),
    ] {
        let other = asg(|asg| asg[key] = value);
        assert_ne!(named(&other, &network()), first, "{key}");
    }
    let elsewhere = NetworkSpec {
        security_groups: Vec::new(),
        ..network()
    };
    assert_ne!(named(&asg(|_| {}), &elsewhere), first);
    let patient = asg(|asg| asg["capacity_timeout"] = "1s".into());
    assert_eq!(named(&patient, &network()), first);
}

#[test]
fn an_instance_starts_encrypted_with_sessions_and_without_a_way_to_its_role() {
    let form = template(&asg(|_| {}));
    for part in [
        "LaunchTemplateName=mlops-digits-1",
        "LaunchTemplateData.ImageId=resolve%3Assm%3A%2Faws%2Fservice%2Fecs%2Foptimized-ami%2Famazon-linux-2023%2Frecommended%2Fimage_id",
        "LaunchTemplateData.InstanceType=m7i.large",
        "LaunchTemplateData.IamInstanceProfile.Name=ecs",
        "LaunchTemplateData.MetadataOptions.HttpTokens=required",
        "LaunchTemplateData.BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda",
        "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=30",
        "LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeType=gp3",
        "LaunchTemplateData.BlockDeviceMapping.1.Ebs.Encrypted=true",
        "LaunchTemplateData.SecurityGroupId.1=sg-1",
        "LaunchTemplateData.TagSpecification.2.ResourceType=volume",
        "TagSpecification.1.ResourceType=launch-template",
        "TagSpecification.1.Tag.3.Key=mlops%3Aendpoint-id",
    ] {
        assert!(form.contains(part), "{part} is not in {form}");
    }
    let own = asg(|asg| {
        asg["image"] = json!({"parameter": "/ami"});
        asg["instance_profile"] = "arn:aws:iam::111122223333:instance-profile/ecs".into();
        asg["security_groups"] = json!(["sg-2"]);
        asg["volume"] =
            json!({"size_gb": 100, "type": "gp2", "encrypted": false, "device": "/dev/sda1"});
    });
    let form = template(&own);
    for part in [
        "ImageId=resolve%3Assm%3A%2Fami&",
        "IamInstanceProfile.Arn=arn",
        "SecurityGroupId.1=sg-2&",
        "Ebs.VolumeSize=100&",
        "Ebs.VolumeType=gp2&",
        "Ebs.Encrypted=false&",
        "DeviceName=%2Fdev%2Fsda1&",
    ] {
        assert!(form.contains(part), "{part} is not in {form}");
    }
    assert!(
        template(&asg(|asg| asg["image"] = json!({"ami": "ami-1"}))).contains("ImageId=ami-1&")
    );
}

#[test]
fn the_agent_is_told_its_cluster_and_whether_there_are_gpus() {
    let told = |kind: &str| {
        let form = template(&asg(|asg| asg["instance_type"] = kind.into()));
        let data = form
            .split("LaunchTemplateData.UserData=")
            .nth(1)
            .expect("user data");
        let data = data.split('&').next().expect("a value").replace("%3D", "=");
        let data = data.replace("%2B", "+").replace("%2F", "/");
        let data = aws_smithy_types::base64::decode(data).expect("base64");
        String::from_utf8(data).expect("text")
    };
    let plain = told("m7i.large");
    assert!(plain.starts_with("#!/bin/bash\n"), "{plain}");
    assert!(
        plain.contains("\nECS_CLUSTER=mlops-digits\nECS_AWSVPC_BLOCK_IMDS=true\nEND\n"),
        "{plain}"
    );
    assert!(told("g5.xlarge").contains("\nECS_ENABLE_GPU_SUPPORT=true\nEND\n"));
}

#[test]
fn a_profile_that_ec2_does_not_know_is_waited_for_while_it_may_be_new() {
    let now: Timestamp = "2026-01-01T00:02:00Z".parse().expect("a time");
    let made = |time: &str| time.parse::<Timestamp>().ok();
    let unknown = Error::invalid("Invalid IAM Instance Profile name ecs");
    assert!(is_on_its_way(&unknown, made("2026-01-01T00:01:00Z"), now));
    assert!(!is_on_its_way(&unknown, made("2026-01-01T00:00:00Z"), now));
    assert!(!is_on_its_way(&unknown, None, now));
    let other = Error::invalid("The image id '[ami-1]' does not exist");
    assert!(!is_on_its_way(&other, made("2026-01-01T00:01:00Z"), now));
}

#[test]
fn a_group_is_where_tasks_are_and_leaves_it_to_ecs_which_instances_go() {
    let form = sent(&asg(|_| {}), group::form);
    for part in [
        "LaunchTemplate.LaunchTemplateName=mlops-digits-1",
        "MinSize=0",
        "MaxSize=2",
        "VPCZoneIdentifier=subnet-1%2Csubnet-2",
        "NewInstancesProtectedFromScaleIn=true",
        "Tags.member.4.Key=AmazonECSManaged",
    ] {
        assert!(form.contains(part), "{part} is not in {form}");
    }
    let own = asg(|asg| asg["subnets"] = json!(["subnet-3"]));
    assert!(sent(&own, group::form).contains("VPCZoneIdentifier=subnet-3&"));
}
