//! Hearing of what other programs do while somebody watches: inotify, or what the system has of the kind, and once a second
//! a look at the times of change, for file systems that tell nothing.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mailstore_traits::{MailboxId, Result};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};

use crate::bodies::lock;
use crate::disk::Place;
use crate::scan::Scanner;

/// How often the times of change are looked at, should nothing be told.
const POLL: Duration = Duration::from_secs(1);
/// How long to wait for more of the same: a program that delivers a hundred messages is one look's work.
const TOGETHER: Duration = Duration::from_millis(20);

/// What is watched: a mailbox, or an account's folder.
type Topic = (i64, Option<MailboxId>);

/// Those who watch, and the thread that looks for them.
pub(crate) struct Watchers {
    state: Mutex<State>,
    wake: SyncSender<()>,
}

#[derive(Default)]
struct State {
    topics: HashMap<Topic, Watched>,
    watcher: Option<RecommendedWatcher>,
    stopped: bool,
}

struct Watched {
    watchers: usize,
    paths: Vec<PathBuf>,
}

impl Watchers {
    /// Starts the thread.
    pub(crate) fn start(root: PathBuf, scanner: Scanner) -> std::io::Result<(Arc<Self>, JoinHandle<()>)> {
        let (wake, woken) = sync_channel(1);
        let told = wake.clone();
        // Whatever it is: which folders have changed is seen by their times.
        let watcher = notify::recommended_watcher(move |_| {
            let _ = told.try_send(());
        });
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "other programs' changes are looked for once a second only"))
            .ok();
        let watchers = Arc::new(Self { state: Mutex::new(State { watcher, ..State::default() }), wake });
        let weak = Arc::downgrade(&watchers);
        let thread = thread::Builder::new()
            .name("maildir-watch".to_owned())
            .spawn(move || work(&weak, &woken, &root, &scanner))?;
        Ok((watchers, thread))
    }

    /// Looks at these from now on, until the answer is dropped.
    pub(crate) fn add(self: &Arc<Self>, topics: Vec<Topic>) -> Watching {
        {
            let mut state = lock(&self.state);
            for topic in &topics {
                let watched =
                    state.topics.entry(topic.clone()).or_insert_with(|| Watched { watchers: 0, paths: Vec::new() });
                watched.watchers = watched.watchers.saturating_add(1);
            }
        }
        self.wake();
        Watching { watchers: Arc::clone(self), topics }
    }

    fn wake(&self) {
        // One that waits to be heard is enough.
        if let Err(TrySendError::Disconnected(())) = self.wake.try_send(()) {
            tracing::debug!("nobody looks any more");
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(&self) {
        let mut state = lock(&self.state);
        state.stopped = true;
        state.topics.clear();
        let watcher = state.watcher.take();
        drop(state);
        // Its thread may be telling something at this moment.
        drop(watcher);
        self.wake();
    }
}

/// A watcher's claim.
pub(crate) struct Watching {
    watchers: Arc<Watchers>,
    topics: Vec<Topic>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut state = lock(&self.watchers.state);
        for topic in &self.topics {
            let Some(watched) = state.topics.get_mut(topic) else { continue };
            watched.watchers = watched.watchers.saturating_sub(1);
            if watched.watchers == 0
                && let Some(watched) = state.topics.remove(topic)
            {
                state.leave(&watched.paths);
            }
        }
    }
}

impl State {
    fn leave(&mut self, paths: &[PathBuf]) {
        for path in paths {
            let elsewhere = self.topics.values().any(|watched| watched.paths.contains(path));
            if let Some(watcher) = &mut self.watcher
                && !elsewhere
            {
                let _ = watcher.unwatch(path);
            }
        }
    }

    /// Hears of these folders on behalf of a topic, and of no others: a mailbox that was renamed has others.
    fn hear(&mut self, topic: &Topic, paths: Vec<PathBuf>) {
        let Some(watched) = self.topics.get_mut(topic) else { return };
        if watched.paths == paths {
            return;
        }
        let before = std::mem::replace(&mut watched.paths, paths.clone());
        self.leave(&before);
        for path in &paths {
            if let Some(watcher) = &mut self.watcher
                && let Err(error) = watcher.watch(path, RecursiveMode::NonRecursive)
            {
                tracing::debug!(%error, path = %path.display(), "a folder is looked at once a second only");
            }
        }
    }
}

fn work(watchers: &Weak<Watchers>, woken: &Receiver<()>, root: &Path, scanner: &Scanner) {
    loop {
        match woken.recv_timeout(POLL) {
            Ok(()) => thread::sleep(TOGETHER),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        let topics: Vec<Topic> = {
            let Some(watchers) = watchers.upgrade() else { return };
            let state = lock(&watchers.state);
            if state.stopped {
                return;
            }
            state.topics.keys().cloned().collect()
        };
        for (account, mailbox) in topics {
            // First heard, then looked at: what comes in between is told.
            let paths = futures::executor::block_on(paths(scanner, root, account, mailbox.as_ref()));
            let topic = (account, mailbox);
            match paths {
                Ok(paths) => {
                    let Some(watchers) = watchers.upgrade() else { return };
                    lock(&watchers.state).hear(&topic, paths);
                }
                Err(error) => tracing::debug!(%error, "where a mailbox lies is not known"),
            }
            let looked = futures::executor::block_on(async {
                match &topic.1 {
                    Some(mailbox) => scanner.mailbox(account, mailbox, false).await,
                    None => scanner.home(account).await,
                }
            });
            if let Err(error) = looked {
                tracing::debug!(%error, "a mailbox could not be looked at");
            }
        }
    }
}

async fn paths(scanner: &Scanner, root: &Path, account: i64, mailbox: Option<&MailboxId>) -> Result<Vec<PathBuf>> {
    let (root, mailbox) = (root.to_owned(), mailbox.cloned());
    scanner
        .store
        .look(move |conn| {
            let found = match &mailbox {
                Some(id) => Scanner::place(conn, account, id)?.map(|(_, place)| place),
                None => Scanner::home_place(conn, account)?,
            };
            let Some(Place { home, dir: Some(dir), .. }) = found else { return Ok(Vec::new()) };
            let mut path = root.join(std::ffi::OsStr::from_bytes(&home));
            if mailbox.is_none() {
                return Ok(vec![path]);
            }
            if !dir.is_empty() {
                path.push(std::ffi::OsStr::from_bytes(&dir));
            }
            Ok(vec![path.join("new"), path.join("cur")])
        })
        .await
}
