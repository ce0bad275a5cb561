//! `archive_file`, which is no fake: functions are made of the file that it writes.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256, Sha512};
use tfplugin::value::Value;
use tfplugin::{Diagnostic, Diagnostics};

use crate::base64::base64;

type Fields = BTreeMap<String, Value>;

/// Writes the archive, uncompressed and with a fixed date, so that the same content is the same file.
pub(super) fn write(fields: &mut Fields) -> Result<(), Diagnostics> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let path = text("output_path").unwrap_or_default().to_owned();
    let entries = entries(fields)?;
    let archive = archive(&entries);
    if let Some(parent) = Path::new(&path).parent() {
        fs::create_dir_all(parent).map_err(|error| failed("output_path", &path, &error))?;
    }
    fs::write(&path, &archive).map_err(|error| failed("output_path", &path, &error))?;
    let (short, long) = (Sha256::digest(&archive), Sha512::digest(&archive));
    for (name, value) in [
        ("id", hex(&short[..20]).into()),
        ("output_size", (archive.len() as u64).into()),
        ("output_sha256", hex(&short).into()),
        ("output_base64sha256", base64(&short).into()),
        ("output_sha512", hex(&long).into()),
        ("output_base64sha512", base64(&long).into()),
    ] {
        fields.insert(name.to_owned(), value);
    }
    Ok(())
}

/// Names and contents, in order of the names.
fn entries(fields: &Fields) -> Result<BTreeMap<String, Vec<u8>>, Diagnostics> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    let mut entries = BTreeMap::new();
    if let Some(Value::Set(sources)) = fields.get("source") {
        for source in sources {
            let content = source.field("content").as_str().unwrap_or_default();
            let name = source.field("filename").as_str().unwrap_or_default();
            entries.insert(name.to_owned(), content.as_bytes().to_vec());
        }
    }
    if let (Some(content), Some(name)) = (text("source_content"), text("source_content_filename")) {
        entries.insert(name.to_owned(), content.as_bytes().to_vec());
    }
    if let Some(path) = text("source_file") {
        let content = fs::read(path).map_err(|error| failed("source_file", path, &error))?;
        let name = Path::new(path)
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        entries.insert(name.into_owned(), content);
    }
    if let Some(path) = text("source_dir") {
        directory(Path::new(path), "", &mut entries)
            .map_err(|error| failed("source_dir", path, &error))?;
    }
    Ok(entries)
}

fn directory(
    at: &Path,
    prefix: &str,
    entries: &mut BTreeMap<String, Vec<u8>>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(at)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            directory(&entry.path(), &format!("{name}/"), entries)?;
        } else {
            entries.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(())
}

/// A zip file of stored entries that may be executed.
fn archive(entries: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, content) in entries {
        let offset = file.len() as u32;
        let size = (content.len() as u32).to_le_bytes();
        // Flags, method, time and date (1 January 1980), checksum, sizes, length of the name, no extra field.
        let mut common = vec![0, 0, 0, 0, 0, 0, 0x21, 0];
        common.extend(checksum(content).to_le_bytes());
        common.extend(size);
        common.extend(size);
        common.extend((name.len() as u16).to_le_bytes());
        common.extend([0, 0]);
        file.extend(b"PK\x03\x04\x14\0");
        file.extend(&common);
        file.extend(name.as_bytes());
        file.extend(content);
        // Made by Unix, of version 2; then no comment, the first disk, no internal attributes, and mode 0755 of a file.
        directory.extend(b"PK\x01\x02\x14\x03\x14\0");
        directory.extend(&common);
        directory.extend([0; 6]);
        directory.extend((0o100_755_u32 << 16).to_le_bytes());
        directory.extend(offset.to_le_bytes());
        directory.extend(name.as_bytes());
    }
    let (start, length) = (file.len() as u32, directory.len() as u32);
    let count = (entries.len() as u16).to_le_bytes();
    file.extend(directory);
    file.extend(b"PK\x05\x06\0\0\0\0");
    file.extend(count);
    file.extend(count);
    file.extend(length.to_le_bytes());
    file.extend(start.to_le_bytes());
    file.extend([0, 0]);
    file
}

/// CRC-32 as zip files have it.
fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    !crc
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn failed(attribute: &str, path: &str, error: &std::io::Error) -> Diagnostics {
    Diagnostic::error("Archive not written", format!("{path}: {error}."))
        .at(attribute)
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(checksum(b"123456789"), 0xCBF4_3926);
    }
}
