//! What SQLite says went wrong, in words that tell what to do.

use std::path::Path;

use mlops_core::{Class, Error};
use rusqlite::ErrorCode;

/// Whether somebody else holds the file for the moment.
pub(super) fn is_busy(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)
    )
}

/// The core's error; `tried` is a verb phrase such as `read` or `written to`.
pub(super) fn explain(path: &Path, tried: &str, error: rusqlite::Error) -> Error {
    let shown = path.display();
    let unreadable = matches!(
        error,
        rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
    );
    let (class, message) = match error.sqlite_error_code() {
        _ if unreadable => (
            Class::Corrupt,
            format!(
                "registry {shown} holds a record that is not readable; restore it from a copy, or move it away and import what still runs"
            ),
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            Class::Unavailable,
            format!(
                "registry {shown} could not be {tried}: other processes held it for too long; run the operation again when they are done"
            ),
        ),
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            Class::Corrupt,
            format!(
                "registry {shown} is damaged; restore it from a copy, or move it away and import what still runs"
            ),
        ),
        Some(ErrorCode::DiskFull) => (
            Class::Unavailable,
            format!(
                "registry {shown} could not be {tried}: the disk is full; free some space and run the operation again"
            ),
        ),
        Some(
            ErrorCode::ReadOnly
            | ErrorCode::PermissionDenied
            | ErrorCode::AuthorizationForStatementDenied,
        ) => (
            Class::Denied,
            format!(
                "registry {shown} could not be {tried}: this user may not; change the permissions of the directory, or say where else with local {{ path }}"
            ),
        ),
        Some(ErrorCode::CannotOpen) => (
            Class::Denied,
            format!(
                "registry {shown} could not be opened; check that the directory and the files in it belong to this user"
            ),
        ),
        Some(ErrorCode::SystemIoFailure) => (
            Class::Unavailable,
            format!(
                "registry {shown} could not be {tried}: the disk failed, or a limit on file sizes was reached; check the disk and run the operation again"
            ),
        ),
        _ => (
            Class::Bug,
            format!("registry {shown} could not be {tried}; report this"),
        ),
    };
    Error::new(class, message).because(error)
}

/// For what goes wrong with files around the database.
pub(crate) fn explain_io(path: &Path, tried: &str, error: std::io::Error) -> Error {
    use std::io::ErrorKind as Kind;
    let shown = path.display();
    let of = match error.kind() {
        Kind::PermissionDenied | Kind::ReadOnlyFilesystem => Error::denied(format!(
            "{shown} could not be {tried}: this user may not; change the permissions of the directory, or say where else with local {{ path }}"
        )),
        Kind::StorageFull | Kind::QuotaExceeded => Error::unavailable(format!(
            "{shown} could not be {tried}: the disk is full; free some space and run the operation again"
        )),
        Kind::NotADirectory | Kind::AlreadyExists => Error::invalid(format!(
            "{shown} could not be {tried}: something that is no directory is in the way; move it, or say where else with local {{ path }}"
        )),
        _ => Error::unavailable(format!("{shown} could not be {tried}")),
    };
    of.because(error)
}
