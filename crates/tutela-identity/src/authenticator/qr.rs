//! A QR code (ISO/IEC 18004) as an SVG that stands alone: no script, no style, no reference to anything.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use crate::Error;

/// Modules of white around the code (ISO/IEC 18004 §6.3.8); without them cameras do not find it.
const QUIET: usize = 4;

/// Black on white whatever the page looks like, for cameras need the contrast. `title` is what a screen reader says
/// and must not be the text itself, which may be a secret. Refuses text of more than some 2,300 bytes.
pub fn svg(text: &str, title: &str) -> Result<String, Error> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|_| Error::invalid("text", "the text is too long for a QR code"))?;
    let width = code.width();
    let colors = code.to_colors();
    let mut path = String::new();
    for (y, row) in colors.chunks(width).enumerate() {
        // One bar for each run of dark modules.
        let mut at = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                let length = run.len();
                // Writing into a string cannot fail.
                let _ = write!(path, "M{} {}h{length}v1h-{length}z", at + QUIET, y + QUIET);
            }
            at += run.len();
        }
    }
    let size = width + 2 * QUIET;
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    Ok(format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}" role="img" shape-rendering="crispEdges"><title>{title}</title><rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URI: &str = "otpauth://totp/tutela:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=tutela&algorithm=SHA1&digits=6&period=30";

    /// The dark modules that the bars of the path cover.
    fn drawn(svg: &str) -> Vec<(usize, usize)> {
        let path = svg.split_once("d=\"").unwrap().1.split_once('"').unwrap().0;
        let bars = path.split('M').skip(1).map(|bar| {
            let (x, rest) = bar.split_once(' ').unwrap();
            let (y, rest) = rest.split_once('h').unwrap();
            let (length, _) = rest.split_once('v').unwrap();
            (x.parse::<usize>().unwrap(), y.parse::<usize>().unwrap(), length.parse::<usize>().unwrap())
        });
        bars.flat_map(|(x, y, length)| (x..x + length).map(move |x| (x, y))).collect()
    }

    #[test]
    fn the_drawing_is_the_code_with_a_quiet_zone() {
        let code = QrCode::with_error_correction_level(URI, EcLevel::M).unwrap();
        let drawn = drawn(&svg(URI, "QR code").unwrap());
        let width = code.width();
        for y in 0..width + 2 * QUIET {
            for x in 0..width + 2 * QUIET {
                let inside = (QUIET..QUIET + width).contains(&x) && (QUIET..QUIET + width).contains(&y);
                let dark = inside && code[(x - QUIET, y - QUIET)] == Color::Dark;
                assert_eq!(drawn.contains(&(x, y)), dark, "{x} {y}");
            }
        }
    }

    #[test]
    fn it_stands_alone_and_tells_no_secret() {
        let svg = svg(URI, "QR code for <you> & me").unwrap();
        assert!(svg.contains("<title>QR code for &lt;you&gt; &amp; me</title>") && svg.contains("role=\"img\""));
        for bad in ["href", "<script", "<style", "style=", "url(", "currentColor", "GEZD"] {
            assert!(!svg.contains(bad), "{bad}");
        }
        assert_eq!(svg.matches("http").count(), 1, "the name space only");
    }

    #[test]
    fn text_that_does_not_fit_is_refused() {
        assert!(svg(&"x".repeat(2_331), "t").is_ok() && svg(&"x".repeat(2_332), "t").is_err());
    }
}
