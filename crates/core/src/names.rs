//! Newtypes for identifiers: a model's name cannot be passed where an endpoint's is wanted.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $max:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the rule of this name; the error says what is allowed.
            pub fn new(name: impl Into<String>) -> Result<Self> {
                let name = name.into();
                let legal = |c: char| c.is_ascii_alphanumeric() || $extra.contains(c);
                if name.is_empty() || name.len() > $max || !name.chars().all(legal) {
                    return Err(Error::invalid(format!(
                        "{name:?} is not a legal {}: use 1 to {} of the characters A-Z a-z 0-9 {}",
                        $what,
                        $max,
                        $extra.chars().map(String::from).collect::<Vec<_>>().join(" "),
                    )));
                }
                Ok(Self(name))
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(name: String) -> Result<Self> {
                Self::new(name)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(name: &str) -> Result<Self> {
                Self::new(name)
            }
        }
    };
}

name!(
    /// A model's name, `^[A-Za-z0-9._-]{1,128}$`. Unique in a registry's namespace.
    ModelName, "model name", 128, "._-"
);
name!(
    /// An alias of a model's version, unique within the model.
    AliasName, "alias name", 128, "._-"
);
name!(
    /// An endpoint's name; short, because cloud names are derived from it.
    EndpointName, "endpoint name", 32, "-_"
);
name!(
    /// A variant's key within its endpoint.
    VariantName, "variant name", 64, "-_"
);

/// A version of a model, `fraud/8`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VersionId {
    /// The model.
    pub model: ModelName,
    /// Counts from 1; never reused, even after the model was deleted.
    pub version: u64,
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.model, self.version)
    }
}

impl std::str::FromStr for VersionId {
    type Err = Error;
    fn from_str(id: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "{id:?} is not a version id: write MODEL/VERSION, such as fraud/8"
            ))
        };
        let (model, version) = id.rsplit_once('/').ok_or_else(wrong)?;
        let version = version.parse().ok().filter(|v| *v > 0).ok_or_else(wrong)?;
        Ok(Self {
            model: model.parse()?,
            version,
        })
    }
}

/// An alias of a model, `fraud@champion`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AliasId {
    /// The model.
    pub model: ModelName,
    /// The alias.
    pub alias: AliasName,
}

impl fmt::Display for AliasId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.model, self.alias)
    }
}

impl std::str::FromStr for AliasId {
    type Err = Error;
    fn from_str(id: &str) -> Result<Self> {
        let (model, alias) = id.split_once('@').ok_or_else(|| {
            Error::invalid(format!(
                "{id:?} is not an alias id: write MODEL@ALIAS, such as fraud@champion"
            ))
        })?;
        Ok(Self {
            model: model.parse()?,
            alias: alias.parse()?,
        })
    }
}

/// An endpoint's id: where it runs, and its name. `local/digits`, `ecs/prod/digits`, and `ecs/us-east-1/prod/digits` in another region than the registry's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    place: String,
    /// The name, unique in its place.
    pub name: EndpointName,
}

impl EndpointId {
    /// The endpoint `name` on this machine.
    pub fn local(name: EndpointName) -> Self {
        let place = "local".to_owned();
        Self { place, name }
    }

    /// The endpoint `name` in a cluster of ECS, which is given by name or ARN; `region` is that of the cluster, where it is not the registry's.
    pub fn on_ecs(region: Option<&str>, cluster: &str, name: EndpointName) -> Self {
        let cluster = cluster_name(cluster);
        let place = match region {
            Some(region) => format!("ecs/{region}/{cluster}"),
            None => format!("ecs/{cluster}"),
        };
        Self { place, name }
    }

    /// The target that runs it, `local` or `ecs`.
    pub fn target(&self) -> &str {
        self.place.split('/').next().unwrap_or_default()
    }

    /// Everything before the name: `local`, `ecs/prod`, `ecs/us-east-1/prod`.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// The region of the cluster, where the id names one.
    pub fn region(&self) -> Option<&str> {
        let (region, _) = self.place.split_once('/')?.1.split_once('/')?;
        Some(region)
    }
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.place, self.name)
    }
}

impl std::str::FromStr for EndpointId {
    type Err = Error;
    fn from_str(id: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!(
                "{id:?} is not an endpoint id: write local/NAME, ecs/CLUSTER/NAME, or ecs/REGION/CLUSTER/NAME in another region than the registry's, such as local/digits"
            ))
        };
        let (place, name) = id.rsplit_once('/').ok_or_else(wrong)?;
        let is_place = match &place.split('/').collect::<Vec<_>>()[..] {
            ["local"] => true,
            ["ecs", cluster] => !cluster.is_empty(),
            ["ecs", region, cluster] => is_region(region) && !cluster.is_empty(),
            _ => false,
        };
        if !is_place {
            return Err(wrong());
        }
        Ok(Self {
            place: place.to_owned(),
            name: name.parse()?,
        })
    }
}

/// Whether the text is of a region's form, which every one that AWS has named has: `us-east-1`, `us-gov-west-1`.
pub fn is_region(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let all =
        |part: &str, legal: fn(&u8) -> bool| !part.is_empty() && part.bytes().all(|b| legal(&b));
    match &parts[..] {
        [words @ .., number] => {
            words.len() >= 2
                && words.iter().all(|word| all(word, u8::is_ascii_lowercase))
                && all(number, u8::is_ascii_digit)
        }
        [] => false,
    }
}

/// The name of a cluster of ECS that is given by name or by ARN.
pub fn cluster_name(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_illegal_character_is_refused_naming_the_rule() {
        let error = ModelName::new("fraud/eu").unwrap_err();
        assert!(
            error
                .to_string()
                .contains("\"fraud/eu\" is not a legal model name"),
            "{error}"
        );
        assert!(ModelName::new("").is_err());
        assert!(ModelName::new("a".repeat(129)).is_err());
        assert!(ModelName::new("a".repeat(128)).is_ok());
        assert!(EndpointName::new("a".repeat(33)).is_err());
    }

    #[test]
    fn ids_read_back_what_they_print() {
        let version: VersionId = "fraud/8".parse().unwrap();
        assert_eq!(version.to_string(), "fraud/8");
        let alias: AliasId = "fraud@champion".parse().unwrap();
        assert_eq!(alias.to_string(), "fraud@champion");
        for wrong in ["fraud", "fraud/0", "fraud/x", "/1", "fraud/"] {
            assert!(wrong.parse::<VersionId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_endpoint_id_names_its_place() {
        for (id, target, place, region) in [
            ("local/digits", "local", "local", None),
            ("ecs/prod/digits", "ecs", "ecs/prod", None),
            (
                "ecs/us-gov-west-1/prod/digits",
                "ecs",
                "ecs/us-gov-west-1/prod",
                Some("us-gov-west-1"),
            ),
        ] {
            let read: EndpointId = id.parse().unwrap();
            assert_eq!(
                (read.target(), read.place(), read.region()),
                (target, place, region)
            );
            assert_eq!(
                (read.to_string().as_str(), read.name.as_str()),
                (id, "digits")
            );
        }
        for id in [
            "digits",
            "ecs/digits",
            "ecs//digits",
            "ecs/a/b/digits",
            "ecs/us-east-1//digits",
            "ecs/us-east-x/b/digits",
            "ecs/us-east-1/a/b/digits",
            "local/x/digits",
            "local/us-east-1/x/digits",
            "local/",
        ] {
            assert!(id.parse::<EndpointId>().is_err(), "{id}");
        }
        let name = EndpointName::new("digits").unwrap();
        let arn = "arn:aws:ecs:us-east-1:111122223333:cluster/prod";
        for (region, id) in [
            (None, "ecs/prod/digits"),
            (Some("us-east-1"), "ecs/us-east-1/prod/digits"),
        ] {
            let made = EndpointId::on_ecs(region, arn, name.clone());
            assert_eq!(made.to_string(), id);
            assert_eq!(id.parse::<EndpointId>().unwrap(), made);
        }
    }
}
