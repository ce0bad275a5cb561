//! The parts of an Amazon Resource Name: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE` (IAM user guide, ARNs).

pub(in crate::endpoint) struct Arn<'a> {
    pub(in crate::endpoint) partition: &'a str,
    pub(in crate::endpoint) service: &'a str,
    pub(in crate::endpoint) region: &'a str,
    pub(in crate::endpoint) account: &'a str,
    /// The rest, colons included.
    pub(in crate::endpoint) resource: &'a str,
}

impl<'a> Arn<'a> {
    pub(in crate::endpoint) fn read(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, service, region, account, resource] = parts[..] else {
            return None;
        };
        Some(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }
}

/// The region of what this ARN names; `None` if that has none, as a role, or if this is no ARN.
pub fn region_of_arn(arn: &str) -> Option<&str> {
    let region = Arn::read(arn)?.region;
    (!region.is_empty()).then_some(region)
}
