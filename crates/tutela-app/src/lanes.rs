//! Work that waits in a table: taken under a lease, a few pieces at once, until told to stop.

use std::{sync::Arc, time::Duration};

use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;
use tutela_core::Timestamp;

use crate::{App, Error};

/// How the work of one table is done.
pub(crate) struct Lanes {
    /// How many pieces at once.
    pub count: usize,
    /// How often the table is looked at when nobody says that there is something.
    pub look: Duration,
    /// What the work is called in the server's log.
    pub what: &'static str,
}

impl Lanes {
    /// Takes what is due with `take` and does it with `turn`, each piece beside the others; `due` says that there is something new.
    pub(crate) async fn run<Row, Taken, Done>(
        self,
        app: App,
        stop: CancellationToken,
        due: impl Fn(&App) -> &Notify,
        take: impl Fn(App, Timestamp) -> Taken,
        turn: impl Fn(App, Row, Timestamp) -> Done,
    ) where
        Taken: Future<Output = Result<Option<Row>, tutela_store::Error>>,
        Done: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let lanes = Arc::new(Semaphore::new(self.count));
        loop {
            let lane = tokio::select! {
                lane = Arc::clone(&lanes).acquire_owned() => lane,
                () = stop.cancelled() => return,
            };
            let now = app.env.now();
            match take(app.clone(), now).await {
                Ok(Some(row)) => {
                    let (work, what) = (turn(app.clone(), row, now), self.what);
                    app.tasks.spawn(async move {
                        if let Err(e) = work.await {
                            tracing::warn!(error = %e, what, "what became of it could not be written down; it will be done again");
                        }
                        drop(lane);
                    });
                    continue;
                }
                Ok(None) => {}
                Err(e) => tracing::warn!(error = %e, what = self.what, "what is due could not be read"),
            }
            drop(lane);
            tokio::select! {
                () = due(&app).notified() => {}
                () = tokio::time::sleep(self.look) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// How long is waited after so many vain tries: twice as long each time, up to `longest` seconds.
pub(crate) fn pause(attempts: u64, longest: u64) -> Duration {
    Duration::from_secs(2_u64.saturating_pow(attempts.min(16) as u32).min(longest))
}
