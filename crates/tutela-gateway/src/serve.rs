//! The public listener: accept, agree on a protocol, read requests, and let them finish when it stops.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::OwnedSemaphorePermit,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{Certificates, Config, Gateway, config::seconds, front::Strict, limits::household, open::Open, patient::Patient};

/// How long open requests may take to finish when a listener stops.
const DRAIN: Duration = Duration::from_secs(20);
/// How long a connection that nobody uses may take to end.
const GOODBYE: Duration = Duration::from_secs(1);
/// Requests of one HTTP/2 connection at the same time.
const MOST_STREAMS: u32 = 100;

/// A connection as its requests see it.
#[derive(Clone)]
pub(crate) struct Connection {
    pub peer: SocketAddr,
    /// Where it arrived.
    pub local: SocketAddr,
    /// Set when it becomes a WebSocket's: what follows is no HTTP.
    pub upgraded: Arc<AtomicBool>,
    /// Its place among all connections, and among those of its address; a WebSocket keeps it.
    _place: Arc<(OwnedSemaphorePermit, Option<Counted>)>,
}

impl Gateway {
    /// Serves a listener until `stop` is cancelled, then lets open requests finish.
    pub async fn serve(self, listener: TcpListener, certificates: Option<Certificates>, stop: CancellationToken) {
        let tracker = TaskTracker::new();
        loop {
            let place = tokio::select! {
                place = Arc::clone(&self.0.connections).acquire_owned() => place,
                () = stop.cancelled() => break,
            };
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = stop.cancelled() => break,
            };
            let (Ok(place), Ok((stream, peer))) = (place, accepted) else {
                // Out of file handles or the like: give others time to finish.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            };
            let config = self.0.current.load_full();
            let counted = if config.trusts(peer.ip()) { None } else { Some(Counted::new(&self.0.addresses, peer.ip())) };
            if counted.as_ref().is_some_and(|counted| counted.number > config.settings.gateway.max_connections_per_address) {
                metrics::counter!("tutela_gateway_connections_refused_total").increment(1);
                continue;
            }
            let (gateway, stop, certificates) = (self.clone(), stop.clone(), certificates.clone());
            tracker.spawn(async move {
                gateway.accept(stream, peer, Arc::new((place, counted)), certificates, &config.settings.gateway, stop).await;
            });
        }
        drop(listener);
        tracker.close();
        if tokio::time::timeout(DRAIN, tracker.wait()).await.is_err() {
            tracing::warn!(seconds = DRAIN.as_secs(), "some requests did not finish in time and were cut");
        }
    }

    async fn accept(
        self,
        stream: TcpStream,
        peer: SocketAddr,
        place: Arc<(OwnedSemaphorePermit, Option<Counted>)>,
        certificates: Option<Certificates>,
        config: &Config,
        stop: CancellationToken,
    ) {
        let _ = stream.set_nodelay(true);
        let Ok(local) = stream.local_addr() else { return };
        let (patience, idle) = (seconds(config.header_timeout), seconds(config.idle_timeout));
        let connection = Connection { peer, local, upgraded: Arc::default(), _place: place };
        match certificates {
            None => self.connection(Strict::new(Patient::new(stream, idle), patience, Arc::clone(&connection.upgraded)), connection, config, stop).await,
            Some(certificates) => {
                // Whoever does not speak TLS, or not to a name of ours, is not answered.
                let Ok(Ok(stream)) = tokio::time::timeout(patience, certificates.acceptor().accept(stream)).await else { return };
                self.connection(Strict::new(Patient::new(stream, idle), patience, Arc::clone(&connection.upgraded)), connection, config, stop).await;
            }
        }
    }

    async fn connection<S>(self, stream: Strict<S>, connection: Connection, config: &Config, stop: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(seconds(config.header_timeout)).max_buf_size(config.max_header_bytes.max(8_192) as usize);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_header_list_size(config.max_header_bytes)
            .max_concurrent_streams(MOST_STREAMS)
            .keep_alive_interval(Some(Duration::from_secs(30)));
        let open = Arc::new(Open::default());
        let (gateway, counted) = (self, Arc::clone(&open));
        let service = service_fn(move |request| {
            let (gateway, connection, open) = (gateway.clone(), connection.clone(), counted.begin(&request));
            async move {
                let response = gateway.handle(request, &connection).await;
                Ok::<_, std::convert::Infallible>(response.map(|body| open.answer(body)))
            }
        });
        let served = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        tokio::pin!(served);
        let useless = tokio::select! {
            // A connection that breaks is the peer's affair; what it asked for is on record.
            _ = served.as_mut() => return,
            () = stop.cancelled() => false,
            () = open.useless(seconds(config.idle_timeout)) => true,
        };
        served.as_mut().graceful_shutdown();
        if useless {
            // Nothing is lost with it; whoever does not say goodbye is not waited for.
            let _ = tokio::time::timeout(GOODBYE, served).await;
        } else {
            let _ = served.await;
        }
    }
}

/// Open connections by address.
pub(crate) type Addresses = Arc<Mutex<HashMap<u128, u32>>>;

/// One of them.
struct Counted {
    addresses: Addresses,
    key: u128,
    number: u32,
}

impl Counted {
    fn new(addresses: &Addresses, address: IpAddr) -> Self {
        let key = household(address);
        let mut all = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let number = all.entry(key).or_default();
        *number += 1;
        Self { addresses: Arc::clone(addresses), key, number: *number }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut all = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = all.get_mut(&self.key) {
            *number -= 1;
            if *number == 0 {
                all.remove(&self.key);
            }
        }
    }
}
