//! Passing a request on to its upstream and the answer back, streaming both ways.

use std::sync::{Arc, atomic::Ordering};

use http::{HeaderName, HeaderValue, Request, Response, StatusCode, Version, header};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use tutela_core::seam::Caller;

use crate::{
    Body, CardNumbers, Error, Gateway,
    body::{Bounds, Watched, full},
    config::seconds,
    handle::{Admitted, Way, number},
    headers,
    held::Held,
    identity,
    leash::{self, Leash},
    limits::household,
    mask,
    routes::Route,
    tunnel::{self, Tunnel},
    upstream::{Sticky, mix},
};

/// Answers up to so many bytes end before anybody could look whether their session has.
const SHORT: u64 = 65_536;

/// Tells an application a browser that nobody is signed in with, by what its consent is kept under.
const VISITOR: HeaderName = HeaderName::from_static("tutela-visitor");

impl Gateway {
    /// An application's answer to a request that may pass.
    pub(crate) async fn forward(
        &self,
        mut request: Request<Held>,
        host: &str,
        route: &Arc<Route>,
        way: &Way<'_>,
        admitted: Admitted,
    ) -> Result<Response<Body>, Error> {
        let inner = &*self.0;
        let config = &way.current.settings.gateway;
        let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
        if declared.is_some_and(|length| length > route.config.max_body_bytes) {
            return Err(Error::BodyTooLarge);
        }
        let path = request.uri().path().to_owned();
        let on_client = tunnel::asks(&request).then(|| hyper::upgrade::on(&mut request));
        *request.uri_mut() = route.target(request.uri()).ok_or_else(|| Error::Upstream("the address is not valid".into()))?;
        *request.version_mut() = Version::HTTP_11;
        let client_host = format!("{host}{}", inner.port);
        let visitor = identity::visitor(self.door(), request.headers()).filter(|_| admitted.caller.is_none()).and_then(|id| HeaderValue::from_str(id).ok());
        headers::to_upstream(request.headers_mut(), way.client.address.ip(), &client_host, inner.scheme);
        // The application sees the name its users use, so that links and origin checks work.
        request.headers_mut().insert(header::HOST, HeaderValue::from_str(&client_host).map_err(|e| Error::Upstream(e.to_string()))?);
        number(request.headers_mut(), way.id);
        let masks = mask::is_for(&route.config, admitted.caller.as_ref());
        if masks {
            mask::ask(request.headers_mut());
        }
        if way.current.waf.reads_answers() {
            request.headers_mut().remove(header::ACCEPT_ENCODING);
        }
        if on_client.is_some() {
            tunnel::mark(request.headers_mut());
        }
        if let Some(visitor) = visitor {
            request.headers_mut().insert(VISITOR, visitor);
        }
        if let Some(caller) = &admitted.caller
            && identity::name_to_upstream(&*inner.policy, request.headers_mut(), caller, route, way.now).is_err()
        {
            return Ok(identity::unavailable(request.headers()));
        }
        let sticky = (route.upstream.config.sticky == Sticky::Session).then(|| key(admitted.caller.as_ref(), way));
        // Only what goes on for long is held; most requests are over before anybody would look.
        let credential = admitted.credential;
        let leash = || {
            let path = crate::path::canonical(&path).unwrap_or_default();
            let (gateway, host, route) = (self.clone(), host.to_owned(), Arc::clone(route));
            Leash::new(leash::Held { gateway, host, path, route, credential: credential.clone(), masks, asked: way.now })
        };
        let bounds = Bounds { most: route.config.max_body_bytes, idle: seconds(config.idle_timeout), until: way.began + seconds(config.body_timeout) };
        let request = request.map(|body| {
            let leash = (!body.is_end_stream()).then(leash);
            Watched::new(body, bounds, leash)
        });
        let mut response = route.upstream.send(request, sticky).await?;
        let switched = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let server = switched.then(|| Tunnel::server_end(&mut response)).transpose()?;
        headers::to_client(response.headers_mut());
        let Some(server) = server else {
            let bounds = Bounds { most: u64::MAX, until: way.began + seconds(config.total_timeout), ..bounds };
            if matches!(route.config.card_numbers(), CardNumbers::Permission(_)) && !masks {
                // They are not to be seen again by whoever may not see them any more.
                response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            let response = response.map(|mut answer| {
                answer.look();
                let long = answer.size_hint().exact().is_none_or(|length| length > SHORT);
                Watched::new(answer, bounds, long.then(leash)).boxed_unsync()
            });
            return if masks { mask::answer(response) } else { Ok(response) };
        };
        let Some(client) = on_client else { return Err(Error::Upstream("it changes the protocol, and nobody asked for that".into())) };
        let (mut parts, answer) = response.into_parts();
        tunnel::mark(&mut parts.headers);
        let tunnel = Tunnel {
            client,
            server,
            connection: way.connection.clone(),
            answer,
            leash: leash(),
            idle: seconds(config.websocket_idle_timeout),
            stopping: inner.stopping.clone(),
        };
        way.connection.upgraded.store(true, Ordering::Release);
        inner.tunnels.spawn(tunnel.run());
        Ok(Response::from_parts(parts, full("")))
    }
}

/// Whose requests stay together at a server: those of a session, else those of an address. The same number on every node.
fn key(caller: Option<&Caller>, way: &Way<'_>) -> u64 {
    let bits = match caller.and_then(Caller::person) {
        Some(identity) => identity.session.0.as_u128(),
        None => household(way.client.address.ip()),
    };
    mix((bits >> 64) as u64 ^ mix(bits as u64))
}
