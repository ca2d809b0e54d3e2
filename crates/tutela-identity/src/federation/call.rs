use tutela_core::Secret;

/// One request to an outside provider, as data: somebody else sends it.
pub struct Call {
    /// Where to; checked before it is sent, like every address that came from outside.
    pub url: String,
    /// Fields of a form, for a POST; a GET where there are none.
    pub form: Option<Vec<(String, Secret<String>)>>,
    /// Client id and secret (RFC 6749 §2.3.1), encoded already.
    pub basic: Option<(String, Secret<String>)>,
    /// Access token (RFC 6750).
    pub bearer: Option<Secret<String>>,
    /// What kind of answer is read.
    pub accept: &'static str,
}

impl Call {
    /// A GET for JSON.
    pub fn get(url: &str) -> Self {
        Self { url: url.to_owned(), form: None, basic: None, bearer: None, accept: "application/json" }
    }

    /// A POST of a form.
    pub fn post(url: &str, form: Vec<(String, Secret<String>)>) -> Self {
        Self { form: Some(form), ..Self::get(url) }
    }

    /// With an access token.
    pub fn bearer(self, token: &Secret<String>) -> Self {
        Self { bearer: Some(Secret::new(token.open().clone())), ..self }
    }
}
