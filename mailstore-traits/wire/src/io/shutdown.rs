//! The word that the server is going down.

use tokio::sync::watch;

/// Says the word. Dropped without saying it, it never will be said.
#[derive(Debug)]
pub struct ShutdownHandle(watch::Sender<bool>);

/// Hears the word, any number of clones of it.
#[derive(Debug, Clone)]
pub struct Shutdown(Option<watch::Receiver<bool>>);

impl ShutdownHandle {
    /// The server is going down: listeners close, sessions say their parting words when they can.
    pub fn shut_down(&self) {
        self.0.send_replace(true);
    }
}

impl Shutdown {
    /// A speaker and a hearer.
    pub fn channel() -> (ShutdownHandle, Self) {
        let (sender, receiver) = watch::channel(false);
        (ShutdownHandle(sender), Self(Some(receiver)))
    }

    /// A hearer of a word that is never said.
    pub const fn never() -> Self {
        Self(None)
    }

    /// Whether it has been said.
    pub fn is_requested(&self) -> bool {
        self.0.as_ref().is_some_and(|word| *word.borrow())
    }

    /// Waits until it is said. Cancel-safe.
    pub async fn requested(&self) {
        if let Some(word) = &self.0
            && word.clone().wait_for(|said| *said).await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}
