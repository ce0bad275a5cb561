//! Instances that an endpoint on ECS has to itself: an Auto Scaling group of its own, in a cluster of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Architecture;
use crate::endpoint::Period;

/// The block `asg`. All of it is in each revision: another one is another group, on which the next revision is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsgSpec {
    /// The kind of instance, such as `m7i.large`.
    pub instance_type: String,
    /// The profile with the role that instances have, by ARN or name.
    pub instance_profile: String,
    /// The fewest instances.
    pub min_size: u32,
    /// The most.
    pub max_size: u32,
    /// What they start from.
    #[serde(default, skip_serializing_if = "MachineImage::is_default")]
    pub image: MachineImage,
    /// The volume that they start from.
    #[serde(default, skip_serializing_if = "RootVolume::is_default")]
    pub volume: RootVolume,
    /// Where they are; empty: where tasks are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subnets: Vec<String>,
    /// Their security groups; empty: those of tasks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub security_groups: Vec<String>,
    /// How long they may take to come, beyond what a revision may take to start.
    #[serde(
        default = "AsgSpec::default_capacity_timeout",
        skip_serializing_if = "AsgSpec::is_default_capacity_timeout"
    )]
    pub capacity_timeout: Period,
}

impl AsgSpec {
    /// The default of [`AsgSpec::capacity_timeout`].
    pub const fn default_capacity_timeout() -> Period {
        Period::seconds(600)
    }

    fn is_default_capacity_timeout(period: &Period) -> bool {
        *period == Self::default_capacity_timeout()
    }

    /// How long instances may take to come.
    pub fn patience(&self) -> Duration {
        self.capacity_timeout.duration()
    }

    /// What is known of the kind of instance by its name; `None` where the name is none of EC2's form.
    pub fn machine(&self) -> Option<Machine> {
        Machine::of(&self.instance_type)
    }
}

/// What instances start from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MachineImage {
    /// The image that ECS recommends for the kind of instance, as it is when an instance starts.
    #[default]
    Recommended,
    /// This image.
    Ami(String),
    /// The image that a parameter of Systems Manager names when an instance starts.
    Parameter(String),
}

impl MachineImage {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The volume that instances start from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RootVolume {
    /// Its size in GiB.
    pub size_gb: u32,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// What the image calls it.
    pub device: String,
}

impl RootVolume {
    /// The default of [`RootVolume::kind`].
    pub const DEFAULT_KIND: &'static str = "gp3";
    /// The default of [`RootVolume::size_gb`]: what the images that ECS recommends need at least.
    pub const DEFAULT_SIZE_GB: u32 = 30;
    /// The default of [`RootVolume::device`], as Amazon Linux has it.
    pub const DEFAULT_DEVICE: &'static str = "/dev/xvda";

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for RootVolume {
    fn default() -> Self {
        Self {
            size_gb: Self::DEFAULT_SIZE_GB,
            kind: Self::DEFAULT_KIND.to_owned(),
            encrypted: true,
            device: Self::DEFAULT_DEVICE.to_owned(),
        }
    }
}

/// What a kind of instance has, as far as its name says it ("Instance type naming conventions" in the guide of EC2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Machine {
    /// Its processors.
    pub architecture: Architecture,
    /// What it has beside them.
    pub accelerator: Accelerator,
}

/// What a kind of instance computes with beside its processors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// Nothing.
    None,
    /// GPUs of NVIDIA, for which ECS recommends an image.
    Nvidia,
    /// Something for which ECS recommends no image here: GPUs of AMD, Inferentia, Trainium, FPGAs and the like.
    Other,
}

impl Machine {
    /// Reads `m7i.large`: a family in letters, its generation, and letters for what it has.
    pub(super) fn of(instance_type: &str) -> Option<Self> {
        let (series, size) = instance_type.split_once('.')?;
        let is_word = |text: &str| {
            let is_text = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            !text.is_empty() && text.chars().all(is_text)
        };
        if !is_word(series) || !is_word(size) {
            return None;
        }
        let digit = series.find(|c: char| c.is_ascii_digit())?;
        let (family, rest) = series.split_at(digit);
        if family.is_empty() {
            return None;
        }
        let has = rest.trim_start_matches(|c: char| c.is_ascii_digit());
        let has = has.split('-').next().unwrap_or(has);
        // a1 is older than the convention.
        let is_arm = series == "a1" || has.contains('g') || rest.contains("-gb");
        let accelerator = match family {
            // AMD's.
            "g" if has.starts_with("ad") => Accelerator::Other,
            "g" | "gr" | "p" => Accelerator::Nvidia,
            "inf" | "trn" | "dl" | "f" | "vt" | "mac" => Accelerator::Other,
            _ => Accelerator::None,
        };
        Some(Self {
            architecture: match is_arm {
                true => Architecture::Arm64,
                false => Architecture::X86_64,
            },
            accelerator,
        })
    }

    /// The parameter of Systems Manager that names the image which ECS recommends for it; `None` where there is none.
    pub fn recommended(self) -> Option<&'static str> {
        match (self.accelerator, self.architecture) {
            (Accelerator::None, Architecture::X86_64) => {
                Some("/aws/service/ecs/optimized-ami/amazon-linux-2023/recommended/image_id")
            }
            (Accelerator::None, Architecture::Arm64) => {
                Some("/aws/service/ecs/optimized-ami/amazon-linux-2023/arm64/recommended/image_id")
            }
            (Accelerator::Nvidia, Architecture::X86_64) => {
                Some("/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id")
            }
            (Accelerator::Nvidia, Architecture::Arm64) | (Accelerator::Other, _) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_instance_has_is_read_from_its_type() {
        use Accelerator::{None, Nvidia, Other};
        use Architecture::{Arm64, X86_64};
        for (name, architecture, accelerator) in [
            ("m7i.large", X86_64, None),
            ("m5.24xlarge", X86_64, None),
            ("c6gn.metal", Arm64, None),
            ("m7g.medium", Arm64, None),
            ("t4g.nano", Arm64, None),
            ("t3.micro", X86_64, None),
            ("a1.large", Arm64, None),
            ("x2iedn.xlarge", X86_64, None),
            ("x2gd.large", Arm64, None),
            ("im4gn.large", Arm64, None),
            ("m7i-flex.large", X86_64, None),
            ("c7i-flex.large", X86_64, None),
            ("r8gd.large", Arm64, None),
            ("g4dn.xlarge", X86_64, Nvidia),
            ("g4ad.xlarge", X86_64, Other),
            ("g5.xlarge", X86_64, Nvidia),
            ("g5g.xlarge", Arm64, Nvidia),
            ("g6e.xlarge", X86_64, Nvidia),
            ("gr6.4xlarge", X86_64, Nvidia),
            ("p4d.24xlarge", X86_64, Nvidia),
            ("p5en.48xlarge", X86_64, Nvidia),
            ("inf2.xlarge", X86_64, Other),
            ("trn1.2xlarge", X86_64, Other),
            ("u7i-12tb.224xlarge", X86_64, None),
            ("p6-b200.48xlarge", X86_64, Nvidia),
            ("p6e-gb200.36xlarge", Arm64, Nvidia),
        ] {
            let expected = Machine {
                architecture,
                accelerator,
            };
            assert_eq!(Machine::of(name), Some(expected), "{name}");
        }
        for wrong in [
            "",
            "m7i",
            "M7i.large",
            "m7i.",
            ".large",
            "7i.large",
            "large.m",
            "m7i large",
        ] {
            assert_eq!(Machine::of(wrong), Option::None, "{wrong}");
        }
    }

    #[test]
    fn an_image_is_recommended_for_processors_and_gpus() {
        for (name, part) in [
            ("m7i.large", Some("amazon-linux-2023/recommended")),
            ("m7g.large", Some("amazon-linux-2023/arm64/recommended")),
            ("g5.xlarge", Some("amazon-linux-2023/gpu/recommended")),
            ("g5g.xlarge", None),
            ("inf2.xlarge", None),
        ] {
            let read = Machine::of(name).expect(name).recommended();
            assert_eq!(read.is_some(), part.is_some(), "{name}");
            assert!(
                read.unwrap_or_default().contains(part.unwrap_or_default()),
                "{name}"
            );
        }
    }
}
