//! A reader that hands out the last bytes only if all of them are the right ones.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, ReadBuf};

use super::{Digest, FileEntry};

/// Verifies a file while it streams. The read that would complete it fails with
/// [`io::ErrorKind::InvalidData`] instead, and hands out nothing, if size or digest are wrong.
pub struct Verified<R> {
    inner: R,
    file: FileEntry,
    hasher: Sha256,
    seen: u64,
    done: bool,
}

impl<R> Verified<R> {
    /// Verifies that `inner` streams `file`.
    pub fn new(inner: R, file: &FileEntry) -> Self {
        Self {
            inner,
            file: file.clone(),
            hasher: Sha256::new(),
            seen: 0,
            done: false,
        }
    }

    fn wrong(&self, what: &str) -> io::Error {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!(
                "stored file {:?} ({}) is damaged: {what}; restore it, or register the version again",
                self.file.path, self.file.digest
            ),
        )
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Verified<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.done || buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.inner).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        this.seen += read.len() as u64;
        this.hasher.update(read);
        let outcome = if read.is_empty() && this.seen < this.file.size {
            Err(this.wrong("it is shorter than it was"))
        } else if this.seen > this.file.size {
            Err(this.wrong("it is longer than it was"))
        } else if this.seen == this.file.size {
            this.done = true;
            let found = Digest::finish(std::mem::take(&mut this.hasher));
            if found == this.file.digest {
                Ok(())
            } else {
                Err(this.wrong("its bytes have another digest"))
            }
        } else {
            Ok(())
        };
        if outcome.is_err() {
            buffer.set_filled(before);
        }
        Poll::Ready(outcome)
    }
}
