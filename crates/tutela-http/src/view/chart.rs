//! Charts as SVG, drawn on the server.
//!
//! Widths are percentages and heights are pixels, so that a chart fills its column while its text keeps
//! its size. Colours come from the stylesheet by class. The data stands beside the chart as a table.

use std::fmt::Write as _;

/// Height of the plot, without the line of labels under it.
const PLOT_HEIGHT: u64 = 140;
/// Room for the labels under the plot.
const LABEL_HEIGHT: u64 = 22;

/// A zero-based bar chart of `bars`, one label in six shown, each bar with its value as a tooltip.
///
/// `title` names the chart for those who do not see it; `unit` follows each value ("12 events").
pub fn bar_chart(title: &str, unit: &str, bars: &[(String, u64)]) -> String {
    let top = axis_top(bars.iter().map(|(_, value)| *value).max().unwrap_or(0));
    let mut svg = String::with_capacity(512 + bars.len() * 160);
    let height = PLOT_HEIGHT + LABEL_HEIGHT;
    // Writing to a string cannot fail, so the results are dropped.
    let _ = write!(svg, r#"<svg class="chart-svg" role="img" width="100%" height="{height}"><title>{}</title>"#, escape(title));
    for tick in [0, top / 2, top] {
        let y = PLOT_HEIGHT - scale(tick, top);
        let _ = write!(svg, r#"<line class="chart-grid" x1="0" x2="100%" y1="{y}" y2="{y}"/><text class="chart-tick" x="-8" y="{}">{tick}</text>"#, y + 4);
    }
    // In thousandths of a percent; a chart without bars draws only its grid.
    let slot = 100_000 / (bars.len() as u64).max(1);
    for (index, (label, value)) in (0u64..).zip(bars) {
        let left = index * slot;
        let bar_height = if *value == 0 { 0 } else { scale(*value, top).max(1) };
        let _ = write!(
            svg,
            r#"<g><title>{label}: {value} {unit}</title><rect class="chart-hit" x="{}" width="{}" y="0" height="{PLOT_HEIGHT}"/><rect class="chart-bar" x="{}" width="{}" y="{}" height="{bar_height}"/></g>"#,
            percent(left),
            percent(slot),
            percent(left + slot / 8),
            percent(slot * 3 / 4),
            PLOT_HEIGHT - bar_height,
            label = escape(label),
            unit = escape(unit),
        );
        if index.is_multiple_of(6) {
            let _ = write!(svg, r#"<text class="chart-label" x="{}" y="{}">{}</text>"#, percent(left + slot / 8), height - 5, escape(label));
        }
    }
    svg.push_str("</svg>");
    svg
}

/// The smallest of 2, 4, 6 and 10 times a power of ten that is not below `max`, so that half of it is whole.
fn axis_top(max: u64) -> u64 {
    let mut power: u64 = 1;
    loop {
        for step in [2, 4, 6, 10] {
            let top = power.saturating_mul(step);
            if top >= max {
                return top;
            }
        }
        power = power.saturating_mul(10);
    }
}

/// Height in pixels of `value` on an axis that ends at `top`.
fn scale(value: u64, top: u64) -> u64 {
    let pixels = u128::from(value) * u128::from(PLOT_HEIGHT) / u128::from(top.max(1));
    u64::try_from(pixels).unwrap_or(PLOT_HEIGHT)
}

/// Thousandths of a percent as SVG writes them.
fn percent(thousandths: u64) -> String {
    format!("{}.{:03}%", thousandths / 1000, thousandths % 1000)
}

/// Text as XML content.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_share_of_the_axis() {
        let svg = bar_chart("Events per hour", "events", &[("09:00".into(), 5), ("10:00".into(), 10), ("11:00".into(), 0)]);
        assert!(svg.contains("<title>09:00: 5 events</title>"));
        assert!(svg.contains(r#"y="70" height="70""#));
        assert!(svg.contains(r#"y="0" height="140""#));
        assert!(svg.contains(r#"y="140" height="0""#));
        assert!(!svg.contains("style="));
    }

    #[test]
    fn the_axis_ends_at_a_round_number_that_halves() {
        for (max, top) in [(0, 2), (2, 2), (3, 4), (7, 10), (11, 20), (61, 100), (101, 200), (u64::MAX, u64::MAX)] {
            assert_eq!(axis_top(max), top);
        }
    }

    #[test]
    fn labels_are_escaped_and_no_bars_draw_a_grid() {
        assert!(bar_chart("a < b", "events", &[]).contains("a &lt; b"));
        assert!(bar_chart("t", "u", &[("<script>".into(), 1)]).contains("&lt;script&gt;"));
    }
}
