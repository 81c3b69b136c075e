//! Charts as SVG, drawn by plotters. Text is placed here, so that no two labels overlap: what a browser makes of
//! a font is not known, so widths are taken a little too wide.

pub(crate) mod bars;
pub(crate) mod line;
pub(crate) mod map;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::plot::Plot;

/// The width of a chart.
pub(crate) const WIDTH: u32 = 900;
/// The size of text.
const TEXT: i32 = 13;
/// Plotters takes for the size of text its height from descender to ascender, and writes the size of the font.
const PER_PIXEL: f64 = 1.24;
/// Text.
const INK: RGBColor = RGBColor(0x22, 0x2b, 0x33);
/// Lines of a grid.
const GRID: RGBColor = RGBColor(0xe3, 0xe7, 0xea);
/// Where there is no value.
const FAINT: RGBColor = RGBColor(0x8a, 0x93, 0x9b);

/// Colours that people with any colour vision tell apart, after Okabe and Ito.
pub(crate) const COLOURS: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xb2),
    RGBColor(0xd5, 0x5e, 0x00),
    RGBColor(0x00, 0x9e, 0x73),
    RGBColor(0xcc, 0x79, 0xa7),
    RGBColor(0xe6, 0x9f, 0x00),
    RGBColor(0x56, 0xb4, 0xe9),
    RGBColor(0x8c, 0x6d, 0x31),
    RGBColor(0x55, 0x55, 0x55),
];

/// A chart, and what its colours mean.
#[derive(Debug)]
pub(crate) struct Drawn {
    pub(crate) svg: String,
    pub(crate) legend: Vec<(RGBColor, String)>,
    /// What a reader should know of what is not drawn.
    pub(crate) notes: Vec<String>,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Failed = DrawingAreaErrorKind<std::io::Error>;

/// The colour of a line or group of bars.
fn colour(index: usize) -> RGBColor {
    COLOURS.get(index % COLOURS.len()).copied().unwrap_or(INK)
}

/// What the colours of a plot's lines mean, where there is more than one.
fn legend(plot: &Plot) -> Vec<(RGBColor, String)> {
    match plot.lines.as_slice() {
        [_] => Vec::new(),
        lines => {
            let lines = lines.iter().enumerate();
            lines
                .map(|(index, line)| (colour(index), line.name.clone()))
                .collect()
        }
    }
}

/// How wide a text is at most, in pixels.
fn width(text: &str) -> i32 {
    let wide = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ' ' | '\'' | '|' | ':' | ';' | '!' => 0.36,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 0.95,
        c if c.is_ascii_uppercase() => 0.75,
        c if c.is_ascii() => 0.6,
        _ => 1.05,
    };
    (text.chars().map(wide).sum::<f64>() * f64::from(TEXT)).ceil() as i32
}

/// A text of at most so many pixels.
fn shortened(text: &str, most: i32) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut short = String::new();
    for c in text.chars() {
        short.push(c);
        if width(&short) + width("…") > most {
            short.pop();
            break;
        }
    }
    format!("{}…", short.trim_end())
}

fn style(colour: RGBColor, across: HPos, down: VPos) -> TextStyle<'static> {
    TextStyle {
        font: ("sans-serif", f64::from(TEXT) * PER_PIXEL).into_font(),
        color: colour.to_backend_color(),
        pos: Pos::new(across, down),
    }
}

fn write(
    area: &Area<'_>,
    text: &str,
    at: (i32, i32),
    (colour, across): (RGBColor, HPos),
) -> Result<(), Failed> {
    // Characters that markup has no place for; those with a meaning in it are escaped by the backend.
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    area.draw_text(&text, &style(colour, across, VPos::Center), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_where_it_would_not_fit() {
        assert_eq!(shortened("short", 100), "short");
        let cut = shortened("Hydrochlorothiazide and Lisinopril, 20 mg", 120);
        assert!(cut.ends_with('…') && width(&cut) <= 120, "{cut}");
    }
}
