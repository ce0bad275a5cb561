//! What a call carries: a stretch of a file, in chunks that share one budget of memory.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio_util::task::AbortOnDropHandle;

use super::crc::Crc;
use super::survey::{Part, Surveyed};

/// How much of a file is read at once.
const CHUNK: usize = 256 * 1024;
/// What all chunks of the process may hold together.
const BUDGET: usize = 32 << 20;
/// Calls of the process that carry bytes at the same time.
const CALLS: usize = 10;

static MEMORY: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(BUDGET)));
static LINES: Semaphore = Semaphore::const_new(CALLS);
/// Buffers that were used before: no more than the budget permits.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// So many files of a tree are under way at once; their bytes still share [`line`]s.
pub(super) const FILES: usize = CALLS;

/// One of the process's lines for bytes, held while a call carries some.
pub(super) async fn line() -> SemaphorePermit<'static> {
    LINES
        .acquire()
        .await
        .unwrap_or_else(|_| unreachable!("the semaphore is never closed"))
}

/// A part of the budget with bytes in it. Gives both back when the last who reads it is done.
struct Chunk {
    buffer: Vec<u8>,
    filled: usize,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        SPARE
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(buffer);
    }
}

impl Chunk {
    async fn read(file: Arc<File>, offset: u64, size: usize) -> io::Result<Bytes> {
        let permit = Arc::clone(&MEMORY)
            .acquire_many_owned(CHUNK as u32)
            .await
            .map_err(io::Error::other)?;
        let read = move || {
            let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut chunk = Self {
                buffer: spare.unwrap_or_else(|| vec![0; CHUNK]),
                filled: size,
                _permit: permit,
            };
            file.read_exact_at(&mut chunk.buffer[..size], offset)?;
            Ok(Bytes::from_owner(chunk))
        };
        tokio::task::spawn_blocking(read).await?
    }
}

/// Streams a part of a file, and ends with an error before its last bytes if they are not those
/// that were surveyed: the service then has no whole part and keeps nothing.
struct PartBody {
    file: Arc<File>,
    part: Part,
    /// How many bytes were handed out.
    sent: u64,
    /// The next chunk is read while this one is sent.
    next: Option<AbortOnDropHandle<io::Result<Bytes>>>,
    crc: Crc,
    changed: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
}

impl PartBody {
    fn begin(&mut self, at: u64) {
        let left = self.part.size - at;
        if left == 0 {
            return;
        }
        let size = usize::try_from(left).map_or(CHUNK, |left| left.min(CHUNK));
        let chunk = Chunk::read(Arc::clone(&self.file), self.part.offset + at, size);
        self.next = Some(AbortOnDropHandle::new(tokio::spawn(chunk)));
    }

    fn wrong(&self, why: &str) -> io::Error {
        self.changed.store(true, Ordering::Release);
        io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
    }
}

impl Body for PartBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if this.sent == this.part.size {
            return Poll::Ready(None);
        }
        if this.next.is_none() {
            this.begin(this.sent);
        }
        let Some(next) = &mut this.next else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(next).poll(context));
        this.next = None;
        let chunk = match read {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Poll::Ready(Some(Err(this.wrong("the file became shorter"))));
            }
            Ok(Err(error)) => return Poll::Ready(Some(Err(error))),
            Err(error) => return Poll::Ready(Some(Err(io::Error::other(error)))),
        };
        this.crc.update(&chunk);
        let sent = this.sent + chunk.len() as u64;
        if sent == this.part.size && !this.crc.agrees(this.part.sums) {
            return Poll::Ready(Some(Err(this.wrong("the file has other bytes"))));
        }
        this.sent = sent;
        this.moved.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        this.begin(sent);
        Poll::Ready(Some(Ok(Frame::data(chunk))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.part.size
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.part.size - self.sent)
    }
}

/// A surveyed file, open for one part or for all.
pub(super) struct Opened {
    file: Arc<File>,
    changed: Arc<AtomicBool>,
    moved: Arc<AtomicU64>,
}

impl Opened {
    /// Blocking.
    pub(super) fn open(surveyed: &Surveyed) -> mlops_core::Result<Self> {
        let file = File::open(&surveyed.source.location)
            .map_err(|error| surveyed.changed().because(error))?;
        Ok(Self {
            file: Arc::new(file),
            changed: Arc::default(),
            moved: Arc::default(),
        })
    }

    /// The same file for another call, whose bytes are counted by themselves.
    pub(super) fn for_a_part(&self) -> Self {
        Self {
            file: Arc::clone(&self.file),
            changed: Arc::clone(&self.changed),
            moved: Arc::default(),
        }
    }

    /// How many bytes went on their way.
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// The bytes of a part, for one call.
    pub(super) fn body(&self, part: Part) -> ByteStream {
        ByteStream::new(SdkBody::from_body_1_x(PartBody {
            file: Arc::clone(&self.file),
            part,
            sent: 0,
            next: None,
            crc: Crc::new(),
            changed: Arc::clone(&self.changed),
            moved: Arc::clone(&self.moved),
        }))
    }

    /// Whether a body met other bytes than were surveyed.
    pub(super) fn is_changed(&self) -> bool {
        self.changed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use mlops_core::artifacts::describe_source;

    fn surveyed(path: &std::path::Path) -> Surveyed {
        let mut tree = describe_source(path).expect("a source");
        Surveyed::read(tree.files.remove(0), 1 << 20).expect("read")
    }

    fn body(opened: &Opened, part: Part) -> PartBody {
        PartBody {
            file: Arc::clone(&opened.file),
            part,
            sent: 0,
            next: None,
            crc: Crc::new(),
            changed: Arc::clone(&opened.changed),
            moved: Arc::clone(&opened.moved),
        }
    }

    #[tokio::test]
    async fn a_body_streams_its_part_and_gives_the_memory_back() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("model");
        let bytes: Vec<u8> = (0..2_500_000u32).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &bytes).expect("file");
        let file = surveyed(&path);
        let opened = Opened::open(&file).expect("open");
        let part = file.parts[1];
        let sent = body(&opened, part).collect().await.expect("bytes");
        let from = usize::try_from(part.offset).expect("small");
        assert_eq!(sent.to_bytes(), &bytes[from..][..1 << 20]);
        assert!(SPARE.lock().expect("lock").len() <= BUDGET / CHUNK);
    }

    #[tokio::test]
    async fn a_body_of_a_changed_file_withholds_its_last_bytes() {
        let directory = tempfile::tempdir().expect("directory");
        let path = directory.path().join("model");
        let write = |bytes: &[u8]| {
            std::fs::write(&path, bytes).expect("file");
        };
        for changed in [&[8; 700_000][..], &[7; 600_000][..]] {
            write(&[7; 700_000]);
            let file = surveyed(&path);
            let opened = Opened::open(&file).expect("open");
            write(changed);
            let mut body = body(&opened, file.parts[0]);
            let mut sent = 0;
            let outcome = loop {
                match body.frame().await.expect("an end with an error") {
                    Ok(frame) => sent += frame.into_data().expect("data").len(),
                    Err(error) => break error,
                }
            };
            assert_eq!(outcome.kind(), io::ErrorKind::InvalidData);
            assert!(sent < 700_000 && opened.is_changed());
        }
    }
}
