//! The rows: what people send, and two attacks.

/// A request.
pub(super) struct Request {
    pub name: &'static str,
    pub figure: Option<&'static str>,
    pub method: String,
    pub target: String,
    pub headers: Vec<(String, Vec<u8>)>,
    pub body: Vec<u8>,
    pub refused: bool,
}

fn request(name: &'static str, figure: Option<&'static str>, method: &str, target: &str, body: Option<(&str, Vec<u8>)>) -> Request {
    let mut headers: Vec<(String, Vec<u8>)> = [
        ("Host", "shop.example.com"),
        ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"),
        ("Accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
        ("Accept-Language", "en-US,en;q=0.5"),
        ("Accept-Encoding", "gzip, deflate, br"),
        ("Connection", "keep-alive"),
        ("Referer", "https://shop.example.com/start"),
        ("Cookie", "session=4f9c2b7ad0e14c55; theme=dark"),
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .to_vec();
    let mut bytes = Vec::new();
    if let Some((kind, body)) = body {
        headers.push(("Content-Type".into(), kind.into()));
        headers.push(("Content-Length".into(), body.len().to_string().into()));
        bytes = body;
    }
    Request { name, figure, method: method.into(), target: target.into(), headers, body: bytes, refused: false }
}

pub(super) fn rows() -> Vec<Request> {
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    let upload = "multipart/form-data; boundary=----WebKitFormBoundaryAbC123";
    vec![
        request("GET /", Some("get_us"), "GET", "/", None),
        request("GET, 4 arguments", Some("get_4_args_us"), "GET", "/search?q=red+shoes&page=2&sort=price_asc&filter=size%3A42", None),
        request(
            "POST form, 5 fields",
            Some("form_us"),
            "POST",
            "/order",
            Some((form, b"name=Ada+Lovelace&street=12+St+James+Square&city=London&note=please+ring+twice&count=3".to_vec())),
        ),
        request("POST JSON, 2 KiB", Some("json_2_kib_us"), "POST", "/api/items", Some((json, items(2 << 10)))),
        request("POST JSON, 64 KiB", Some("json_64_kib_us"), "POST", "/api/items", Some((json, items(64 << 10)))),
        request("POST form, 1 MiB field", Some("form_1_mib_us"), "POST", "/note", Some((form, text(1 << 20)))),
        request("multipart, 1 MiB image", Some("multipart_1_mib_us"), "POST", "/upload", Some((upload, image(1 << 20)))),
        Request {
            refused: true,
            ..request("SQL injection, GET", Some("sqli_us"), "GET", "/item?id=1%27%20UNION%20SELECT%20password%20FROM%20users--%20", None)
        },
        Request { refused: true, ..request("XSS, GET", Some("xss_us"), "GET", "/item?name=%3Cscript%3Ealert(1)%3C/script%3E", None) },
    ]
}

/// A document of about so many bytes and a value for each 22 of them; the engine's limit on arguments stays as it is.
fn items(size: usize) -> Vec<u8> {
    let mut text = String::from("{\"items\":[");
    let mut number = 0;
    while text.len() + 60 < size {
        if number > 0 {
            text.push(',');
        }
        text.push_str(&format!("{{\"id\":{number},\"name\":\"item {number}\",\"price\":{}.5}}", number * 7 % 90));
        number += 1;
    }
    text.push_str("]}");
    text.into_bytes()
}

fn text(size: usize) -> Vec<u8> {
    let words = "the+quick+brown+fox+jumps+over+the+lazy+dog+";
    let mut text = String::from("note=");
    while text.len() + words.len() < size {
        text.push_str(words);
    }
    text.into_bytes()
}

fn image(size: usize) -> Vec<u8> {
    let mut body =
        b"------WebKitFormBoundaryAbC123\r\nContent-Disposition: form-data; name=\"photo\"; filename=\"me.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n".to_vec();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    while body.len() < size {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        body.extend_from_slice(&state.to_le_bytes());
    }
    body.extend_from_slice(b"\r\n------WebKitFormBoundaryAbC123--\r\n");
    body
}
