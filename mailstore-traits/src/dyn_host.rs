//! An authenticator and a directory whose types are not known before the program runs.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::{
    AccountId, Authenticator, ClientCertificate, Directory, Recipient, Resolution, Result, ScramHash, ScramKeys,
    Secret, UserName,
};

/// Any [`Authenticator`]. A clone is the same one.
#[derive(Clone)]
pub struct DynAuthenticator(Arc<dyn ErasedAuthenticator>);

/// Any [`Directory`]. A clone is the same one.
#[derive(Clone)]
pub struct DynDirectory(Arc<dyn ErasedDirectory>);

impl DynAuthenticator {
    /// Forgets which type it is of.
    pub fn new(authenticator: impl Authenticator) -> Self {
        Self(Arc::new(Erased(authenticator)))
    }
}

impl DynDirectory {
    /// Forgets which type it is of.
    pub fn new(directory: impl Directory) -> Self {
        Self(Arc::new(Erased(directory)))
    }
}

/// Keeps the private traits' methods off the host's own types, where their names would clash.
struct Erased<T>(T);

trait ErasedAuthenticator: Send + Sync {
    fn check_password<'a>(
        &'a self,
        user: &'a UserName,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn scram_keys<'a>(&'a self, user: &'a UserName, hash: ScramHash) -> BoxFuture<'a, Result<Option<ScramKeys>>>;
    fn verify_token<'a>(
        &'a self,
        user: Option<&'a UserName>,
        token: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn authorize<'a>(
        &'a self,
        authenticated: &'a AccountId,
        requested: &'a UserName,
    ) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn verify_certificate<'a>(
        &'a self,
        certificate: &'a ClientCertificate,
        requested: Option<&'a UserName>,
    ) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn admit_anonymous<'a>(&'a self, trace: Option<&'a str>) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn check_cram_md5<'a>(
        &'a self,
        user: &'a UserName,
        challenge: &'a str,
        digest: &'a [u8; 16],
    ) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn check_apop<'a>(
        &'a self,
        user: &'a UserName,
        timestamp: &'a str,
        digest: &'a [u8; 16],
    ) -> BoxFuture<'a, Result<Option<AccountId>>>;
    fn scram(&self) -> bool;
    fn scram_sha1(&self) -> bool;
    fn tokens(&self) -> bool;
    fn certificates(&self) -> bool;
    fn anonymous(&self) -> bool;
    fn cram_md5(&self) -> bool;
    fn apop(&self) -> bool;
}

impl<T: Authenticator> ErasedAuthenticator for Erased<T> {
    fn check_password<'a>(
        &'a self,
        user: &'a UserName,
        password: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.check_password(user, password))
    }

    fn scram_keys<'a>(&'a self, user: &'a UserName, hash: ScramHash) -> BoxFuture<'a, Result<Option<ScramKeys>>> {
        Box::pin(self.0.scram_keys(user, hash))
    }

    fn verify_token<'a>(
        &'a self,
        user: Option<&'a UserName>,
        token: &'a Secret<String>,
    ) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.verify_token(user, token))
    }

    fn authorize<'a>(
        &'a self,
        authenticated: &'a AccountId,
        requested: &'a UserName,
    ) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.authorize(authenticated, requested))
    }

    fn verify_certificate<'a>(
        &'a self,
        certificate: &'a ClientCertificate,
        requested: Option<&'a UserName>,
    ) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.verify_certificate(certificate, requested))
    }

    fn admit_anonymous<'a>(&'a self, trace: Option<&'a str>) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.admit_anonymous(trace))
    }

    fn check_cram_md5<'a>(
        &'a self,
        user: &'a UserName,
        challenge: &'a str,
        digest: &'a [u8; 16],
    ) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.check_cram_md5(user, challenge, digest))
    }

    fn check_apop<'a>(
        &'a self,
        user: &'a UserName,
        timestamp: &'a str,
        digest: &'a [u8; 16],
    ) -> BoxFuture<'a, Result<Option<AccountId>>> {
        Box::pin(self.0.check_apop(user, timestamp, digest))
    }

    fn scram(&self) -> bool {
        self.0.scram()
    }

    fn scram_sha1(&self) -> bool {
        self.0.scram_sha1()
    }

    fn certificates(&self) -> bool {
        self.0.certificates()
    }

    fn anonymous(&self) -> bool {
        self.0.anonymous()
    }

    fn cram_md5(&self) -> bool {
        self.0.cram_md5()
    }

    fn apop(&self) -> bool {
        self.0.apop()
    }

    fn tokens(&self) -> bool {
        self.0.tokens()
    }
}

impl Authenticator for DynAuthenticator {
    async fn check_password(&self, user: &UserName, password: &Secret<String>) -> Result<Option<AccountId>> {
        self.0.check_password(user, password).await
    }

    async fn scram_keys(&self, user: &UserName, hash: ScramHash) -> Result<Option<ScramKeys>> {
        self.0.scram_keys(user, hash).await
    }

    async fn verify_token(&self, user: Option<&UserName>, token: &Secret<String>) -> Result<Option<AccountId>> {
        self.0.verify_token(user, token).await
    }

    async fn authorize(&self, authenticated: &AccountId, requested: &UserName) -> Result<Option<AccountId>> {
        self.0.authorize(authenticated, requested).await
    }

    async fn verify_certificate(
        &self,
        certificate: &ClientCertificate,
        requested: Option<&UserName>,
    ) -> Result<Option<AccountId>> {
        self.0.verify_certificate(certificate, requested).await
    }

    async fn admit_anonymous(&self, trace: Option<&str>) -> Result<Option<AccountId>> {
        self.0.admit_anonymous(trace).await
    }

    async fn check_cram_md5(&self, user: &UserName, challenge: &str, digest: &[u8; 16]) -> Result<Option<AccountId>> {
        self.0.check_cram_md5(user, challenge, digest).await
    }

    async fn check_apop(&self, user: &UserName, timestamp: &str, digest: &[u8; 16]) -> Result<Option<AccountId>> {
        self.0.check_apop(user, timestamp, digest).await
    }

    fn scram(&self) -> bool {
        self.0.scram()
    }

    fn scram_sha1(&self) -> bool {
        self.0.scram_sha1()
    }

    fn certificates(&self) -> bool {
        self.0.certificates()
    }

    fn anonymous(&self) -> bool {
        self.0.anonymous()
    }

    fn cram_md5(&self) -> bool {
        self.0.cram_md5()
    }

    fn apop(&self) -> bool {
        self.0.apop()
    }

    fn tokens(&self) -> bool {
        self.0.tokens()
    }
}

trait ErasedDirectory: Send + Sync {
    fn resolve<'a>(&'a self, recipient: &'a Recipient) -> BoxFuture<'a, Result<Resolution>>;
}

impl<T: Directory> ErasedDirectory for Erased<T> {
    fn resolve<'a>(&'a self, recipient: &'a Recipient) -> BoxFuture<'a, Result<Resolution>> {
        Box::pin(self.0.resolve(recipient))
    }
}

impl Directory for DynDirectory {
    async fn resolve(&self, recipient: &Recipient) -> Result<Resolution> {
        self.0.resolve(recipient).await
    }
}

impl fmt::Debug for DynAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynAuthenticator")
    }
}

impl fmt::Debug for DynDirectory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DynDirectory")
    }
}

#[cfg(all(test, feature = "memory"))]
mod tests {
    use futures::executor::block_on;

    use super::*;
    use crate::memory::MemoryStore;

    #[test]
    fn what_is_asked_reaches_the_host() {
        let host = MemoryStore::new().with_account("ada@example.org", "correct horse");
        let (authenticator, directory) = (DynAuthenticator::new(host.clone()), DynDirectory::new(host));
        let ada = UserName::new("ada@example.org").unwrap();
        let check =
            |password: &str| block_on(authenticator.check_password(&ada, &Secret::new(password.into()))).unwrap();
        assert_eq!(check("correct horse"), Some(AccountId::from("ada@example.org")));
        assert_eq!(check("wrong"), None);
        assert!(!authenticator.scram() && !authenticator.tokens());

        let eve = Recipient::new("eve", Some(String::from("example.org")));
        assert_eq!(block_on(directory.resolve(&eve)).unwrap(), Resolution::UnknownUser);
    }
}
