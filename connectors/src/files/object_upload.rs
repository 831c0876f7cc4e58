//! Files in object stores: one request for a small one, numbered parts for a large one. Nothing is
//! visible before the last request, and unlike a stream of parts every request can be repeated.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartId, ObjectStoreExt};
use std::sync::Arc;
use swiftwater_engine::{Error, Result};

use super::location::object_path;
use super::staged::StagedFile;
use super::store::Client;
use super::upload::Upload;
use crate::io_call::Call;

/// Size of a part; stores want them equal and at least 5 MiB.
const PART: usize = 8 << 20;
/// Parts that may be on their way at once.
const UNDER_WAY: usize = 2;
/// Longest wait within one call.
const PATIENCE: Duration = Duration::from_secs(1);

type Outcome<T> = std::result::Result<T, object_store::Error>;

/// A part that is on its way, with its bytes until they have arrived.
struct Part {
    bytes: Bytes,
    /// `None` where it has to be sent (again).
    call: Option<Call<Outcome<PartId>>>,
}

/// A file in the making.
pub(super) struct ObjectUpload {
    client: Client,
    url: String,
    path: Path,
    id: Option<MultipartId>,
    begin: Option<Call<Outcome<MultipartId>>>,
    parts: BTreeMap<usize, Part>,
    arrived: BTreeMap<usize, PartId>,
    sent: usize,
    stored: u64,
    /// The last request, and the bytes of a file that goes in one.
    last: Option<Call<Outcome<()>>>,
    whole: Option<Bytes>,
    /// It is there, or staged to be completed later.
    committed: bool,
}

pub(super) fn away(url: &str, error: object_store::Error) -> Error {
    let denied = matches!(
        error,
        object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }
    );
    let hint = if denied {
        "let the credentials in `store` or the environment write there"
    } else {
        "rows wait and are written when the store answers"
    };
    Error::unavailable("SW2022", format!("write `{url}`")).with_hint(hint).with_source(error)
}

impl ObjectUpload {
    pub(super) fn begin(client: &Client, bucket_url: &str, key: &str) -> Result<Self> {
        Ok(Self {
            client: client.clone(),
            url: format!("{bucket_url}/{key}"),
            path: object_path(key)?,
            id: None,
            begin: None,
            parts: BTreeMap::new(),
            arrived: BTreeMap::new(),
            sent: 0,
            stored: 0,
            last: None,
            whole: None,
            committed: false,
        })
    }

    fn slow(&self) -> Error {
        Error::unavailable("SW2022", format!("write `{}` as fast as rows come", self.url))
            .with_hint("the store takes longer than a second for a part")
    }

    /// The upload's id, once the store has given it.
    fn id(&mut self, wait: Duration) -> Result<Option<MultipartId>> {
        if self.id.is_none() {
            let mut call = match self.begin.take() {
                Some(call) => call,
                None => {
                    let (parts, path) = (Arc::clone(&self.client.parts), self.path.clone());
                    Call::start(async move { parts.create_multipart(&path).await })?
                }
            };
            match call.outcome(wait)? {
                None => self.begin = Some(call),
                Some(outcome) => self.id = Some(outcome.map_err(|e| away(&self.url, e))?),
            }
        }
        Ok(self.id.clone())
    }

    /// Sends parts that are to be sent and takes in those that have arrived, waiting at most `wait`
    /// for the oldest.
    fn drive(&mut self, wait: Duration) -> Result<()> {
        if self.parts.is_empty() {
            return Ok(());
        }
        let Some(id) = self.id(wait)? else { return Ok(()) };
        for (number, part) in &mut self.parts {
            if part.call.is_none() {
                let (parts, path) = (Arc::clone(&self.client.parts), self.path.clone());
                let (id, number, bytes) = (id.clone(), *number, part.bytes.clone());
                let send = async move { parts.put_part(&path, &id, number, bytes.into()).await };
                part.call = Some(Call::start(send)?);
            }
        }
        let mut wait = wait;
        let mut failed = None;
        for (number, part) in &mut self.parts {
            let Some(call) = &mut part.call else { continue };
            match call.outcome(std::mem::take(&mut wait))? {
                None => {}
                Some(Ok(id)) => {
                    self.arrived.insert(*number, id);
                }
                Some(Err(error)) => {
                    part.call = None;
                    failed = Some(error);
                }
            }
        }
        let arrived = &self.arrived;
        self.parts.retain(|number, _| !arrived.contains_key(number));
        failed.map_or(Ok(()), |e| Err(away(&self.url, e)))
    }

    fn add_part(&mut self, bytes: Vec<u8>) {
        self.stored += bytes.len() as u64;
        self.parts.insert(self.sent, Part { bytes: bytes.into(), call: None });
        self.sent += 1;
    }

    /// Sends the last request, or looks after it.
    fn finish(&mut self, wait: Duration) -> Result<bool> {
        let mut call = match self.last.take() {
            Some(call) => call,
            None => self.last_request()?,
        };
        let Some(outcome) = call.outcome(wait)? else {
            self.last = Some(call);
            return Ok(false);
        };
        match outcome {
            Ok(()) => {
                self.committed = true;
                Ok(true)
            }
            Err(error) if self.id.is_some() => self.look_for_it(error, wait),
            Err(error) => Err(away(&self.url, error)),
        }
    }

    fn last_request(&self) -> Result<Call<Outcome<()>>> {
        let path = self.path.clone();
        match (&self.id, &self.whole) {
            (Some(id), _) => {
                let (parts, id) = (Arc::clone(&self.client.parts), id.clone());
                let arrived: Vec<PartId> = self.arrived.values().cloned().collect();
                Call::start(async move {
                    parts.complete_multipart(&path, &id, arrived).await.map(|_| ())
                })
            }
            (None, whole) => {
                let (objects, bytes) =
                    (Arc::clone(&self.client.objects), whole.clone().unwrap_or_default());
                Call::start(async move { objects.put(&path, bytes.into()).await.map(|_| ()) })
            }
        }
    }

    /// A completion that failed may have worked: the answer can get lost.
    fn look_for_it(&mut self, error: object_store::Error, wait: Duration) -> Result<bool> {
        let (objects, path) = (Arc::clone(&self.client.objects), self.path.clone());
        let mut head = Call::start(async move { objects.head(&path).await })?;
        match head.outcome(wait.max(PATIENCE))? {
            Some(Ok(object)) if object.size == self.stored => {
                self.committed = true;
                Ok(true)
            }
            Some(Err(object_store::Error::NotFound { .. }))
                if matches!(error, object_store::Error::NotFound { .. }) =>
            {
                Err(Error::state("SW2023", format!("complete `{}`: its parts are gone", self.url))
                    .with_hint("the topology goes on from the last epoch; a rule of the bucket may delete unfinished uploads too early")
                    .with_source(error))
            }
            _ => Err(away(&self.url, error)),
        }
    }
}

impl Upload for ObjectUpload {
    fn store(&mut self, buffer: &mut Vec<u8>, _urgent: bool) -> Result<()> {
        self.drive(Duration::ZERO)?;
        while buffer.len() >= PART {
            if self.parts.len() >= UNDER_WAY {
                self.drive(PATIENCE)?;
                if self.parts.len() >= UNDER_WAY {
                    return Err(self.slow());
                }
            }
            let rest = buffer.split_off(PART);
            let part = std::mem::replace(buffer, rest);
            self.add_part(part);
            self.drive(Duration::ZERO)?;
        }
        Ok(())
    }

    fn commit(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> Result<bool> {
        if self.sent == 0 && buffer.len() <= PART {
            if self.whole.is_none() {
                self.stored = buffer.len() as u64;
                self.whole = Some(std::mem::take(buffer).into());
            }
            return self.finish(wait);
        }
        while !buffer.is_empty() {
            let rest = buffer.split_off(buffer.len().min(PART));
            let part = std::mem::replace(buffer, rest);
            self.add_part(part);
        }
        self.drive(wait)?;
        if self.parts.is_empty() { self.finish(wait) } else { Ok(false) }
    }

    fn stage(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> Result<Option<StagedFile>> {
        // A file that goes in one request appears with it: here a small one is a single part.
        while !buffer.is_empty() || self.sent == 0 {
            let rest = buffer.split_off(buffer.len().min(PART));
            let part = std::mem::replace(buffer, rest);
            self.add_part(part);
        }
        self.drive(wait)?;
        let Some(upload) = self.id.clone().filter(|_| self.parts.is_empty()) else {
            return Ok(None);
        };
        self.committed = true;
        let parts = self.arrived.values().map(|part| part.content_id.clone()).collect();
        let key = self.path.to_string();
        Ok(Some(StagedFile::Object { key, upload, parts, bytes: self.stored }))
    }

    fn held(&self) -> usize {
        let parts: usize = self.parts.values().map(|p| p.bytes.len()).sum();
        parts + self.whole.as_ref().map_or(0, Bytes::len)
    }

    fn stored(&self) -> u64 {
        self.stored
    }
}

impl Drop for ObjectUpload {
    fn drop(&mut self) {
        let Some(id) = self.id.take().filter(|_| !self.committed) else { return };
        let (parts, path, url) =
            (Arc::clone(&self.client.parts), self.path.clone(), std::mem::take(&mut self.url));
        let abort = async move {
            if let Err(error) = parts.abort_multipart(&path, &id).await {
                tracing::warn!(url, %error, "abort an unfinished upload");
            }
        };
        if let Ok(runtime) = crate::io_runtime::handle() {
            runtime.spawn(abort);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io_call::block_on;
    use object_store::memory::InMemory;
    use object_store::multipart::MultipartStore;
    use object_store::{ObjectStore, PutPayload, PutResult};
    use std::sync::Mutex;

    /// The parts of a store in memory. `InMemory` has parts too, but they must arrive in order.
    #[derive(Default)]
    struct Parts(Arc<InMemory>, Mutex<Option<BTreeMap<usize, Bytes>>>);

    #[async_trait::async_trait]
    impl MultipartStore for Parts {
        async fn create_multipart(&self, _: &Path) -> Outcome<MultipartId> {
            *self.1.lock().unwrap() = Some(BTreeMap::new());
            Ok("id".into())
        }

        async fn put_part(
            &self,
            path: &Path,
            _: &MultipartId,
            number: usize,
            data: PutPayload,
        ) -> Outcome<PartId> {
            let mut parts = self.1.lock().unwrap();
            let parts = parts.as_mut().ok_or_else(|| gone(path))?;
            parts.insert(number, data.into());
            Ok(PartId { content_id: number.to_string() })
        }

        async fn complete_multipart(
            &self,
            path: &Path,
            _: &MultipartId,
            ids: Vec<PartId>,
        ) -> Outcome<PutResult> {
            let parts = self.1.lock().unwrap().take().ok_or_else(|| gone(path))?;
            assert!(
                ids.iter()
                    .map(|p| &p.content_id)
                    .eq(&parts.keys().map(usize::to_string).collect::<Vec<_>>())
            );
            self.0.put(path, parts.into_values().collect()).await
        }

        async fn abort_multipart(&self, path: &Path, _: &MultipartId) -> Outcome<()> {
            self.1.lock().unwrap().take().map(|_| ()).ok_or_else(|| gone(path))
        }
    }

    fn gone(path: &Path) -> object_store::Error {
        object_store::Error::NotFound { path: path.to_string(), source: "no such upload".into() }
    }

    fn in_memory() -> Client {
        let objects = Arc::new(InMemory::new());
        let parts = Parts(Arc::clone(&objects), Mutex::default());
        Client { objects, parts: Arc::new(parts) }
    }

    fn commit(upload: &mut ObjectUpload, buffer: &mut Vec<u8>) {
        while !upload.commit(buffer, PATIENCE).unwrap() {}
    }

    fn read(client: &Client, key: &str) -> Option<Vec<u8>> {
        let path = Path::from(key);
        block_on(async {
            let got = client.objects.get(&path).await.ok()?;
            Some(got.bytes().await.unwrap().to_vec())
        })
        .unwrap()
    }

    #[test]
    fn small_and_large_files_appear_whole() {
        let client = in_memory();
        for (key, size) in [("small", 10), ("exact", PART), ("large", 3 * PART + 17), ("none", 0)] {
            let bytes: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
            let mut upload = ObjectUpload::begin(&client, "s3://b", key).unwrap();
            let mut buffer = Vec::new();
            for piece in bytes.chunks(PART / 2 + 1) {
                buffer.extend_from_slice(piece);
                while let Err(error) = upload.store(&mut buffer, false) {
                    assert_eq!(error.code, "SW2022", "{error}");
                }
                assert!(read(&client, key).is_none(), "visible before the commit");
            }
            commit(&mut upload, &mut buffer);
            assert_eq!(upload.stored(), size as u64);
            assert!(upload.held() <= PART);
            assert!(read(&client, key).unwrap() == bytes, "{key}");
        }
    }

    #[test]
    fn a_completion_whose_answer_was_lost_is_found_to_have_worked() {
        let client = in_memory();
        let mut upload = ObjectUpload::begin(&client, "s3://b", "k").unwrap();
        let mut buffer = vec![7; 2 * PART];
        upload.store(&mut buffer, false).unwrap();
        while !upload.parts.is_empty() {
            upload.drive(PATIENCE).unwrap();
        }
        // The completion happens, and nobody hears of it.
        let id = upload.id.clone().unwrap();
        let arrived = upload.arrived.values().cloned().collect();
        block_on(client.parts.complete_multipart(&upload.path, &id, arrived)).unwrap().unwrap();
        commit(&mut upload, &mut buffer);
        assert_eq!(read(&client, "k").unwrap().len(), 2 * PART);
    }

    #[test]
    fn an_upload_that_the_store_forgot_is_told_and_not_reported_as_done() {
        let client = in_memory();
        let mut upload = ObjectUpload::begin(&client, "s3://b", "k").unwrap();
        let mut buffer = vec![7; 2 * PART];
        upload.store(&mut buffer, false).unwrap();
        while !upload.parts.is_empty() {
            upload.drive(PATIENCE).unwrap();
        }
        let id = upload.id.clone().unwrap();
        block_on(client.parts.abort_multipart(&upload.path, &id)).unwrap().unwrap();
        let error = loop {
            match upload.commit(&mut buffer, PATIENCE) {
                Ok(done) => assert!(!done),
                Err(error) => break error,
            }
        };
        assert!(read(&client, "k").is_none());
        assert!(matches!(error.code, "SW2022" | "SW2023"), "{error}");
        let listed =
            block_on(futures::TryStreamExt::try_collect::<Vec<_>>(client.objects.list(None)));
        assert!(listed.unwrap().unwrap().is_empty());
    }
}
