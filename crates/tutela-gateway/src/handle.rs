//! One request, from stage to stage: front, firewall, who asks, whether they may, the application, and back.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderMap, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use tutela_core::{
    Actor, RequestId, Timestamp,
    seam::{Caller, Stage},
};
use tutela_waf::Verdict;

use crate::{
    Body, Error, Gateway, headers,
    held::Held,
    identity::{self, Door, OWN_PREFIX, Seen},
    limits::Counted,
    pages::{answer, wants_page},
    path,
    routes::Route,
    trail::Trail,
    waf::{self, Inspection},
};

/// How long a client may go on sending what is refused already.
const LINGER: Duration = Duration::from_secs(5);

/// Where an application, and a client, find the id of a request.
const REQUEST_ID: http::HeaderName = http::HeaderName::from_static("tutela-request");

/// Who answers a request.
enum Place {
    /// The way back from signing in, on a guarded host.
    Door { host: String },
    /// Our own pages.
    Own,
    /// An application.
    Route { host: String, route: Arc<Route> },
}

impl Place {
    /// As whom records and rules know it.
    fn name(&self) -> Arc<str> {
        self.route().map_or_else(|| "tutela".into(), |route| Arc::clone(&route.name))
    }

    fn route(&self) -> Option<&Arc<Route>> {
        match self {
            Self::Route { route, .. } => Some(route),
            Self::Door { .. } | Self::Own => None,
        }
    }
}

/// Who asks an application, for what, and when.
#[derive(Clone, Copy)]
struct Asked<'a> {
    peer: SocketAddr,
    host: &'a str,
    caller: Option<&'a Caller>,
    now: Timestamp,
    id: RequestId,
}

impl Gateway {
    /// Answers a request, and hands its record over.
    pub(crate) async fn handle(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        let now = self.0.env.now();
        let id = RequestId::new(now, &mut { &*self.0.env });
        let mut trail = Trail::new(&request, peer, id, now);
        let mut response = self.route(request.map(Held::new), peer, now, &mut trail).await;
        trail.tally.tell(response.headers_mut());
        number(response.headers_mut(), id);
        let bytes = response.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok());
        let record = trail.end(response.status().as_u16(), bytes);
        metrics::counter!("tutela_gateway_requests_total", "status" => class_of(record.status)).increment(1);
        if let Some(stage) = record.refused_by {
            metrics::counter!("tutela_gateway_refused_total", "stage" => stage.as_str()).increment(1);
        }
        self.0.sink.record(record);
        response
    }

    /// Front, firewall, and on to whoever answers.
    async fn route(&self, mut request: Request<Held>, peer: SocketAddr, now: Timestamp, trail: &mut Trail) -> Response<Body> {
        let inner = &*self.0;
        let page = wants_page(request.headers());
        let place = match self.place(&request) {
            Ok(place) => place,
            Err((status, kind, title, detail)) => {
                trail.refused(Stage::Front);
                return answer(page, status, kind, title, detail);
            }
        };
        let name = place.name();
        trail.record.route = Some(Arc::clone(&name));
        if matches!(place, Place::Own) {
            // Paths of our own pages may hold one-time links.
            trail.record.path = own_page_path(&trail.record.path);
        }
        trail.passed(Stage::Front);
        let mode = inner.waf.mode(place.route().and_then(|route| route.waf));
        let mut inspection = inner.waf.begin(mode, &name, trail.record.id, peer, now);
        let verdict = inspection.as_mut().map_or(Verdict::Pass, |inspection| inspection.head(&request));
        if let Some(refused) = waf::refusal(page, &verdict, trail.record.id) {
            trail.record.inspection = inspection.map(Inspection::finish);
            trail.refused(Stage::Waf);
            return refused;
        }
        trail.passed(Stage::Waf);
        let caller = match &place {
            Place::Own | Place::Door { .. } => None,
            Place::Route { host, route } => match self.admit(&mut request, host, route, now, trail).await {
                Ok(caller) => caller,
                Err(refused) => {
                    trail.record.inspection = inspection.map(Inspection::finish);
                    return refused;
                }
            },
        };
        if let Some(begun) = inspection.take() {
            let idle = Duration::from_secs(u64::from(inner.config.idle_timeout));
            let (judged, verdict) = match begun.body(request.body_mut(), idle).await {
                Ok(judged) => judged,
                Err(e) => {
                    trail.refused(Stage::Waf);
                    return failed(page, &e);
                }
            };
            trail.passed(Stage::Waf);
            if let Some(refused) = waf::refusal(page, &verdict, trail.record.id) {
                trail.record.inspection = Some(judged.finish());
                trail.refused(Stage::Waf);
                request.body_mut().drain(LINGER).await;
                return refused;
            }
            inspection = Some(judged);
        }
        let mut response = match &place {
            Place::Own => {
                request.extensions_mut().insert(peer);
                request.extensions_mut().insert(trail.record.id);
                (inner.pages)(request).await
            }
            Place::Door { host } => {
                let door = Door { policy: &*inner.policy, cookies: inner.cookies };
                identity::own_path(door, &request, host, &self.origin(host), &inner.own_origin, now).await
            }
            Place::Route { host, route } => {
                let asked = Asked { peer, host, caller: caller.as_ref(), now, id: trail.record.id };
                self.pass_on(request, route, &asked).await
            }
        };
        trail.passed(Stage::Upstream);
        if let Some(mut inspection) = inspection {
            if matches!(place, Place::Route { .. }) {
                let verdict;
                (response, verdict) = inspection.answer(response).await;
                trail.passed(Stage::Waf);
                if let Some(refused) = waf::refusal(page, &verdict, trail.record.id) {
                    trail.refused(Stage::Waf);
                    response = refused;
                }
            }
            trail.record.inspection = Some(inspection.finish());
        }
        response
    }

    /// Who is to answer; an address that can be read in two ways is nobody's.
    fn place(&self, request: &Request<Held>) -> Result<Place, (StatusCode, &'static str, &'static str, &'static str)> {
        let inner = &*self.0;
        let Some(host) = host_of(request) else {
            return Err((StatusCode::BAD_REQUEST, "invalid", "The request names no host, or several", "Send exactly one Host header."));
        };
        if host == inner.own_host {
            return Ok(Place::Own);
        }
        if !inner.routes.has_host(&host) {
            return Err((StatusCode::MISDIRECTED_REQUEST, "not-found", "This server does not answer for this host name", "Check the address."));
        }
        let Some(path) = path::canonical(request.uri().path()) else {
            let detail = "Write the path without dot segments, empty segments and encoded slashes.";
            return Err((StatusCode::BAD_REQUEST, "invalid", "The address is ambiguous", detail));
        };
        if path.starts_with(OWN_PREFIX) {
            return Ok(Place::Door { host });
        }
        match inner.routes.find(&host, &path).cloned() {
            Some(route) => Ok(Place::Route { host, route }),
            None => Err((StatusCode::NOT_FOUND, "not-found", "There is no such page", "No route of this host leads there.")),
        }
    }

    fn origin(&self, host: &str) -> String {
        format!("{}://{host}{}", self.0.scheme, self.0.port)
    }

    /// Who asks, and whether they may.
    async fn admit(&self, request: &mut Request<Held>, host: &str, route: &Route, now: Timestamp, trail: &mut Trail) -> Result<Option<Caller>, Response<Body>> {
        let inner = &*self.0;
        let door = Door { policy: &*inner.policy, cookies: inner.cookies };
        self.count(request, route, None, now, trail)?;
        let caller = identity::caller(door, request.headers_mut(), host, route, now).await.inspect_err(|_| trail.refused(Stage::Authentication))?;
        trail.record.actor = caller.as_ref().map_or(Actor::Anonymous, Caller::actor);
        trail.passed(Stage::Authentication);
        self.count(request, route, Some(caller.as_ref()), now, trail)?;
        let origin = self.origin(host);
        let path_and_query = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let seen = Seen { method: request.method(), headers: request.headers(), origin: &origin, path_and_query, now };
        identity::check(door, route, caller.as_ref(), &seen).inspect_err(|_| trail.refused(Stage::Authorization))?;
        trail.passed(Stage::Authorization);
        Ok(caller)
    }

    /// Counts a request for the limits of its route: those that need no caller before one is known, the others after.
    fn count(&self, request: &Request<Held>, route: &Route, caller: Option<Option<&Caller>>, now: Timestamp, trail: &mut Trail) -> Result<(), Response<Body>> {
        let counted = Counted { address: trail.record.ip, route: &route.name, headers: request.headers(), caller, now };
        if self.0.limits.count(&route.limits, &counted, &mut trail.tally) {
            trail.passed(Stage::Limit);
            return Ok(());
        }
        trail.refused(Stage::Limit);
        Err(trail.tally.refusal(request.headers()))
    }

    async fn pass_on(&self, mut request: Request<Held>, route: &Route, asked: &Asked<'_>) -> Response<Body> {
        let Asked { peer, host, caller, now, id } = *asked;
        let inner = &*self.0;
        let page = wants_page(request.headers());
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > route.max_body_bytes) {
            return failed(page, &Error::BodyTooLarge);
        }
        let Some(target) = route.target(request.uri()) else {
            return answer(page, StatusCode::BAD_REQUEST, "invalid", "The address is not valid", "Check the address.");
        };
        *request.uri_mut() = target;
        *request.version_mut() = http::Version::HTTP_11;
        let client_host = format!("{host}{}", inner.port);
        headers::to_upstream(request.headers_mut(), peer.ip(), &client_host, inner.scheme);
        // The application sees the name its users use, so that links and origin checks work.
        let host_value = http::HeaderValue::from_str(&client_host).unwrap_or_else(|_| route.upstream_host.clone());
        request.headers_mut().insert(header::HOST, host_value);
        number(request.headers_mut(), id);
        if inner.waf.reads_answers() {
            request.headers_mut().remove(header::ACCEPT_ENCODING);
        }
        if let Some(caller) = caller
            && identity::name_to_upstream(&*inner.policy, request.headers_mut(), caller, route, now).is_err()
        {
            return identity::unavailable(request.headers());
        }
        match inner.forward.send(request, route.max_body_bytes).await {
            Ok(mut response) => {
                headers::to_client(response.headers_mut());
                response
            }
            Err(e) => {
                tracing::warn!(route = &*route.name, error = %e, "a request was not answered by its upstream");
                failed(page, &e)
            }
        }
    }
}

/// Says which request it is.
fn number(headers: &mut HeaderMap, id: RequestId) {
    if let Ok(value) = http::HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
}

fn failed(page: bool, error: &Error) -> Response<Body> {
    match error {
        Error::BodyTooLarge => answer(page, StatusCode::PAYLOAD_TOO_LARGE, "invalid", "The upload is too large", "This application takes smaller files only."),
        Error::ClientBody => answer(page, StatusCode::REQUEST_TIMEOUT, "invalid", "The upload broke off", "Nothing came for too long. Try again."),
        Error::Inspection => answer(
            page,
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "A part of this server does not answer",
            "Your request was not passed on. Try again in a moment.",
        ),
        Error::Timeout => answer(page, StatusCode::GATEWAY_TIMEOUT, "unavailable", "The application did not answer in time", "Try again in a moment."),
        Error::Connect(_) | Error::Upstream(_) => {
            answer(page, StatusCode::BAD_GATEWAY, "unavailable", "The application does not answer", "Try again in a moment.")
        }
    }
}

/// The one host name of a request, in lower case and without port. HTTP/1.1 has it in `Host`, HTTP/2 in the target; both may be there only if they agree.
fn host_of<B>(request: &Request<B>) -> Option<String> {
    let mut values = request.headers().get_all(header::HOST).iter();
    let named = match (values.next(), values.next()) {
        (Some(one), None) => Some(one.to_str().ok()?),
        (None, _) => None,
        (Some(_), Some(_)) => return None,
    };
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    let authority = match (named, target) {
        (Some(a), Some(b)) if !a.eq_ignore_ascii_case(b) => return None,
        (Some(authority), _) | (None, Some(authority)) => authority,
        (None, None) => return None,
    };
    let host = authority.parse::<http::uri::Authority>().ok()?.host().trim_end_matches('.').to_ascii_lowercase();
    (!host.is_empty()).then_some(host)
}

/// The path of an own page without what must not be kept.
fn own_page_path(path: &str) -> String {
    const LINKS: [&str; 6] = ["/change-email/", "/not-me/", "/reset/", "/set-up/", "/unlock/", "/verify-email/"];
    LINKS.iter().find(|link| path.starts_with(**link)).map_or_else(|| path.to_owned(), |link| format!("{link}…"))
}

fn class_of(status: u16) -> &'static str {
    match status / 100 {
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        5 => "5xx",
        _ => "other",
    }
}
