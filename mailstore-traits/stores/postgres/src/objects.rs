//! An object store for large bodies, or none.
//!
//! A body is uploaded under a passing name, for its hash is known only at its end, and then gets its own: the hash, so that
//! who looks into the bucket can check each object against its name, and the content's number behind it, so that what one
//! process brings is never what another one is just collecting.

use std::ops::Range;

use bytes::Bytes;

use crate::error::Outcome;

#[cfg(feature = "object-store")]
mod real {
    use std::sync::Arc;

    use mailstore_traits::backend::columns::hex;
    use mailstore_traits::{ErrorKind, StoreError};
    use object_store::path::Path;
    use object_store::{GetOptions, MultipartUpload, ObjectStore, PutPayload};

    use super::*;

    /// What S3 wants every part of an upload but the last to have at least.
    const PART: usize = 5 * 1024 * 1024;

    /// The store, if one is configured.
    #[derive(Debug, Clone)]
    pub(crate) struct Objects(Option<Arc<dyn ObjectStore>>);

    /// An upload that is under way; given up when it is dropped before its end.
    pub(crate) struct Upload {
        upload: Option<Box<dyn MultipartUpload>>,
        runtime: tokio::runtime::Handle,
    }

    impl Drop for Upload {
        fn drop(&mut self) {
            if let Some(mut upload) = self.upload.take() {
                self.runtime.spawn(async move {
                    // Parts that stay are the bucket's own to end.
                    let _ = upload.abort().await;
                });
            }
        }
    }

    fn passing(key: &[u8]) -> Path {
        Path::from(format!("stage/{}", hex(key)))
    }

    fn from_objects(error: object_store::Error) -> StoreError {
        let kind = match error {
            object_store::Error::NotFound { .. } => ErrorKind::Corrupt,
            object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. } => {
                ErrorKind::NotPermitted
            }
            _ => ErrorKind::Unavailable,
        };
        StoreError::new(kind, format!("the object store: {error}"))
    }

    /// A look that finds nothing is as good as one that removes.
    fn gone(answer: object_store::Result<()>) -> Outcome<()> {
        match answer {
            Err(object_store::Error::NotFound { .. }) => Ok(()),
            answer => answer.map_err(from_objects),
        }
    }

    impl Objects {
        pub(crate) fn new(options: &crate::Options) -> Self {
            Self(options.objects.clone())
        }

        fn store(&self) -> Outcome<&Arc<dyn ObjectStore>> {
            let none =
                || StoreError::new(ErrorKind::Unavailable, "a body is in an object store, and none is configured");
            self.0.as_ref().ok_or_else(none)
        }

        /// How many octets are written at once; `None` without a store.
        pub(crate) fn part(&self) -> Option<usize> {
            self.0.as_ref().map(|_| PART)
        }

        pub(crate) async fn begin(&self, key: &[u8]) -> Outcome<Upload> {
            let (store, runtime) = (self.store()?, tokio::runtime::Handle::current());
            let upload = object_store::ObjectStoreExt::put_multipart(store.as_ref(), &passing(key)).await;
            upload.map(|upload| Upload { upload: Some(upload), runtime }).map_err(from_objects)
        }

        /// The name of a whole object.
        pub(crate) fn name(key: &[u8], hash: &[u8]) -> String {
            let hash = hex(hash);
            format!("{}/{hash}.{}", hash.get(..2).unwrap_or_default(), hex(key))
        }

        /// Gives an uploaded object its name.
        pub(crate) async fn settle(&self, key: &[u8], name: &str) -> Outcome<()> {
            let store = self.store()?;
            let renamed = object_store::ObjectStoreExt::rename(store.as_ref(), &passing(key), &Path::from(name)).await;
            renamed.map_err(from_objects)
        }

        pub(crate) async fn read(&self, name: &str, part: Range<u64>) -> Outcome<Bytes> {
            let options = GetOptions { range: Some(part.into()), ..GetOptions::default() };
            let found = self.store()?.get_opts(&Path::from(name), options).await.map_err(from_objects)?;
            found.bytes().await.map_err(from_objects)
        }

        pub(crate) async fn remove(&self, key: &[u8], name: Option<String>) -> Outcome<()> {
            let store = self.store()?;
            gone(object_store::ObjectStoreExt::delete(store.as_ref(), &passing(key)).await)?;
            match name {
                Some(name) => gone(object_store::ObjectStoreExt::delete(store.as_ref(), &Path::from(name)).await),
                None => Ok(()),
            }
        }
    }

    impl Upload {
        pub(crate) async fn write(&mut self, octets: Vec<u8>) -> Outcome<()> {
            let upload = self.upload.as_mut().ok_or(ErrorKind::Unavailable)?;
            upload.put_part(PutPayload::from(octets)).await.map_err(from_objects)
        }

        pub(crate) async fn complete(&mut self) -> Outcome<()> {
            let upload = self.upload.as_mut().ok_or(ErrorKind::Unavailable)?;
            upload.complete().await.map_err(from_objects)?;
            self.upload = None;
            Ok(())
        }
    }
}

#[cfg(not(feature = "object-store"))]
mod real {
    use mailstore_traits::{ErrorKind, StoreError};

    use super::*;

    /// There is none.
    #[derive(Debug, Clone)]
    pub(crate) struct Objects;

    /// There is none.
    pub(crate) enum Upload {}

    fn none<T>() -> Outcome<T> {
        Err(StoreError::new(ErrorKind::Unavailable, "a body is in an object store, and this program knows none"))
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    impl Objects {
        pub(crate) fn new(_: &crate::Options) -> Self {
            Self
        }

        pub(crate) fn part(&self) -> Option<usize> {
            None
        }

        pub(crate) async fn begin(&self, _: &[u8]) -> Outcome<Upload> {
            none()
        }

        pub(crate) fn name(_: &[u8], _: &[u8]) -> String {
            String::new()
        }

        pub(crate) async fn settle(&self, _: &[u8], _: &str) -> Outcome<()> {
            none()
        }

        pub(crate) async fn read(&self, _: &str, _: Range<u64>) -> Outcome<Bytes> {
            none()
        }

        pub(crate) async fn remove(&self, _: &[u8], _: Option<String>) -> Outcome<()> {
            none()
        }
    }

    #[expect(clippy::unused_async, reason = "as with the feature")]
    impl Upload {
        pub(crate) async fn write(&mut self, _: Vec<u8>) -> Outcome<()> {
            none()
        }

        pub(crate) async fn complete(&mut self) -> Outcome<()> {
            none()
        }
    }
}

pub(crate) use real::{Objects, Upload};
