//! IDLE: news as they come, until DONE (RFC 9051 §6.3.13).

use futures::StreamExt;
use mailstore_traits::{Authenticator, MailStore};
use tokio::time::{Duration, Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::connection::{Broken, Connection, Stop};
use crate::response::{Status, StatusKind, Text};
use crate::session::{Answer, Event};

/// How soon a watch that has ended is begun anew.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// What woke an idling session.
enum Wake {
    Event(Option<Event>),
    News,
    StillHere,
}

impl<S: MailStore, A: Authenticator> Connection<'_, S, A> {
    pub(super) async fn idle(&mut self) -> Result<(), Broken> {
        self.answer(Answer::Ok)?;
        let mut pull = true;
        let mut clock = still_here(self.session.config().timeouts().still_here);
        loop {
            match Box::pin(self.news(pull, true)).await {
                Ok(()) => {}
                Err(Stop::Refused(bye)) => {
                    self.session.bye(&bye, self.driver.output());
                    return Ok(());
                }
                Err(Stop::Broken(broken)) => return Err(broken),
            }
            pull = false;
            let wake = {
                let Self { driver, session, selected, .. } = self;
                let news = async {
                    match selected {
                        Some(selected) => {
                            if selected.watch.next().await.is_none() {
                                // Its end means to watch again, which telling the news does; a store that has nothing
                                // to say is not asked all the time.
                                sleep(WATCH_AGAIN).await;
                            }
                            selected.dirty = true;
                        }
                        None => std::future::pending().await,
                    }
                };
                let tick = async {
                    match &mut clock {
                        Some(clock) => {
                            clock.tick().await;
                        }
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    event = driver.next_event(session) => Wake::Event(event?),
                    () = news => Wake::News,
                    () = tick => Wake::StillHere,
                }
            };
            match wake {
                // All that the store has said is told before the OK.
                Wake::Event(Some(Event::Done)) => {
                    let ok = Status::new(StatusKind::Ok, Text::literal("IDLE completed"));
                    return Box::pin(self.finish(Ok(ok), false, true)).await;
                }
                Wake::Event(Some(event)) => return Box::pin(self.event(event)).await,
                Wake::Event(None) => return Ok(()),
                Wake::News => {}
                Wake::StillHere => self.driver.output().extend_from_slice(b"* OK Still here\r\n"),
            }
        }
    }
}

/// Boxes on the way forget connections on which nothing is said.
fn still_here(every: Option<Duration>) -> Option<Interval> {
    let every = every.filter(|every| !every.is_zero())?;
    let mut clock = interval_at(Instant::now() + every, every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Some(clock)
}
