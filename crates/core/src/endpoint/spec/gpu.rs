//! Kinds of GPUs, and the instances that have them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Architecture, Machine};

/// A kind of GPU. Which instances have it is in the guide of EC2 on accelerated computing instances; how many each has, there and in
/// the guide of AWS Batch on jobs that use GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GpuType {
    /// NVIDIA T4.
    T4,
    /// NVIDIA T4G, beside processors of Arm.
    T4g,
    /// NVIDIA A10G.
    A10g,
    /// NVIDIA L4.
    L4,
    /// NVIDIA L40S.
    L40s,
    /// NVIDIA V100.
    V100,
    /// NVIDIA A100.
    A100,
    /// NVIDIA H100.
    H100,
    /// NVIDIA H200.
    H200,
    /// NVIDIA B200.
    B200,
}

/// The types of instance that have one kind of GPU, each with their number.
type Machines = &'static [(&'static str, u32)];

impl GpuType {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::T4,
        Self::T4g,
        Self::A10g,
        Self::L4,
        Self::L40s,
        Self::V100,
        Self::A100,
        Self::H100,
        Self::H200,
        Self::B200,
    ];

    /// The name in a configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::T4 => "t4",
            Self::T4g => "t4g",
            Self::A10g => "a10g",
            Self::L4 => "l4",
            Self::L40s => "l40s",
            Self::V100 => "v100",
            Self::A100 => "a100",
            Self::H100 => "h100",
            Self::H200 => "h200",
            Self::B200 => "b200",
        }
    }

    /// The types of instance that have it. Those with a part of one are not among them: ECS counts whole ones.
    fn machines(self) -> Machines {
        match self {
            Self::T4 => &[
                ("g4dn.xlarge", 1),
                ("g4dn.2xlarge", 1),
                ("g4dn.4xlarge", 1),
                ("g4dn.8xlarge", 1),
                ("g4dn.12xlarge", 4),
                ("g4dn.16xlarge", 1),
                ("g4dn.metal", 8),
            ],
            Self::T4g => &[
                ("g5g.xlarge", 1),
                ("g5g.2xlarge", 1),
                ("g5g.4xlarge", 1),
                ("g5g.8xlarge", 1),
                ("g5g.16xlarge", 2),
                ("g5g.metal", 2),
            ],
            Self::A10g => &[
                ("g5.xlarge", 1),
                ("g5.2xlarge", 1),
                ("g5.4xlarge", 1),
                ("g5.8xlarge", 1),
                ("g5.12xlarge", 4),
                ("g5.16xlarge", 1),
                ("g5.24xlarge", 4),
                ("g5.48xlarge", 8),
            ],
            Self::L4 => &[
                ("g6.xlarge", 1),
                ("g6.2xlarge", 1),
                ("g6.4xlarge", 1),
                ("g6.8xlarge", 1),
                ("g6.12xlarge", 4),
                ("g6.16xlarge", 1),
                ("g6.24xlarge", 4),
                ("g6.48xlarge", 8),
                ("gr6.4xlarge", 1),
                ("gr6.8xlarge", 1),
            ],
            Self::L40s => &[
                ("g6e.xlarge", 1),
                ("g6e.2xlarge", 1),
                ("g6e.4xlarge", 1),
                ("g6e.8xlarge", 1),
                ("g6e.12xlarge", 4),
                ("g6e.16xlarge", 1),
                ("g6e.24xlarge", 4),
                ("g6e.48xlarge", 8),
            ],
            Self::V100 => &[
                ("p3.2xlarge", 1),
                ("p3.8xlarge", 4),
                ("p3.16xlarge", 8),
                ("p3dn.24xlarge", 8),
            ],
            Self::A100 => &[("p4d.24xlarge", 8), ("p4de.24xlarge", 8)],
            Self::H100 => &[("p5.4xlarge", 1), ("p5.48xlarge", 8)],
            Self::H200 => &[("p5e.48xlarge", 8), ("p5en.48xlarge", 8)],
            Self::B200 => &[("p6-b200.48xlarge", 8)],
        }
    }

    /// The names of these types of instance.
    pub fn instance_types(self) -> impl Iterator<Item = &'static str> {
        self.machines().iter().map(|(name, _)| *name)
    }

    /// The most that one instance has.
    pub fn most(self) -> u32 {
        let counts = self.machines().iter().map(|(_, count)| *count);
        counts.max().unwrap_or_default()
    }

    /// The processors beside it.
    pub fn architecture(self) -> Option<Architecture> {
        let name = self.instance_types().next()?;
        Machine::of(name).map(|machine| machine.architecture)
    }

    /// Which GPUs a type of instance has, and how many, if it is one of those that are known.
    pub fn of(instance_type: &str) -> Option<(Self, u32)> {
        Self::ALL.into_iter().find_map(|kind| {
            let mut machines = kind.machines().iter();
            let (_, count) = machines.find(|(name, _)| *name == instance_type)?;
            Some((kind, *count))
        })
    }
}

impl fmt::Display for GpuType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::{Accelerator, Compute};
    use super::*;

    #[test]
    fn each_type_of_instance_has_one_kind_of_gpu_of_nvidia_and_one_kind_of_processor() {
        let mut seen = BTreeSet::new();
        for kind in GpuType::ALL {
            for name in kind.instance_types() {
                assert!(seen.insert(name), "{name} twice");
                let machine = Machine::of(name).expect(name);
                assert_eq!(machine.accelerator, Accelerator::Nvidia, "{name}");
                assert_eq!(Some(machine.architecture), kind.architecture(), "{name}");
                let (found, count) = GpuType::of(name).expect(name);
                assert_eq!(found, kind);
                assert!((1..=kind.most()).contains(&count), "{name}");
            }
        }
        assert_eq!(GpuType::T4g.architecture(), Some(Architecture::Arm64));
        // One letter more is another GPU.
        assert_eq!(GpuType::of("g5.16xlarge"), Some((GpuType::A10g, 1)));
        assert_eq!(GpuType::of("g5g.16xlarge"), Some((GpuType::T4g, 2)));
        assert_eq!(GpuType::of("p5en.48xlarge"), Some((GpuType::H200, 8)));
        assert_eq!(GpuType::of("m7i.large"), None);
    }

    #[test]
    fn it_is_written_by_its_name_and_only_where_it_is_asked_for() {
        for kind in GpuType::ALL {
            let compute = Compute {
                gpus: Some(1),
                gpu_type: Some(kind),
                ..Compute::default()
            };
            let text = serde_json::to_value(compute).unwrap();
            assert_eq!(text["gpu_type"], kind.as_str());
            assert_eq!(serde_json::from_value::<Compute>(text).unwrap(), compute);
        }
        // A deployment is known by a hash of these bytes.
        let before = r#"{"gpus":1}"#;
        let compute: Compute = serde_json::from_str(before).unwrap();
        assert_eq!(serde_json::to_string(&compute).unwrap(), before);
    }
}
