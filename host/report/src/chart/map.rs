//! The United States as tiles, all of one size: small states are as easy to read as large ones.

use plotters::prelude::*;
use plotters::style::text_anchor::HPos;

use super::{Drawn, FAINT, Failed, GRID, INK, WIDTH, write};
use crate::number;
use crate::plot::{Plot, Point};

/// States and territories: code, name, column and row of the tile.
const STATES: &[(&str, &str, i32, i32)] = &[
    ("AK", "Alaska", 0, 0),
    ("ME", "Maine", 10, 0),
    ("VT", "Vermont", 9, 1),
    ("NH", "New Hampshire", 10, 1),
    ("WA", "Washington", 0, 2),
    ("ID", "Idaho", 1, 2),
    ("MT", "Montana", 2, 2),
    ("ND", "North Dakota", 3, 2),
    ("MN", "Minnesota", 4, 2),
    ("IL", "Illinois", 5, 2),
    ("WI", "Wisconsin", 6, 2),
    ("MI", "Michigan", 7, 2),
    ("NY", "New York", 8, 2),
    ("RI", "Rhode Island", 9, 2),
    ("MA", "Massachusetts", 10, 2),
    ("OR", "Oregon", 0, 3),
    ("NV", "Nevada", 1, 3),
    ("WY", "Wyoming", 2, 3),
    ("SD", "South Dakota", 3, 3),
    ("IA", "Iowa", 4, 3),
    ("IN", "Indiana", 5, 3),
    ("OH", "Ohio", 6, 3),
    ("PA", "Pennsylvania", 7, 3),
    ("NJ", "New Jersey", 8, 3),
    ("CT", "Connecticut", 9, 3),
    ("CA", "California", 0, 4),
    ("UT", "Utah", 1, 4),
    ("CO", "Colorado", 2, 4),
    ("NE", "Nebraska", 3, 4),
    ("MO", "Missouri", 4, 4),
    ("KY", "Kentucky", 5, 4),
    ("WV", "West Virginia", 6, 4),
    ("VA", "Virginia", 7, 4),
    ("MD", "Maryland", 8, 4),
    ("DE", "Delaware", 9, 4),
    ("AZ", "Arizona", 1, 5),
    ("NM", "New Mexico", 2, 5),
    ("KS", "Kansas", 3, 5),
    ("AR", "Arkansas", 4, 5),
    ("TN", "Tennessee", 5, 5),
    ("NC", "North Carolina", 6, 5),
    ("SC", "South Carolina", 7, 5),
    ("DC", "District of Columbia", 8, 5),
    ("OK", "Oklahoma", 3, 6),
    ("LA", "Louisiana", 4, 6),
    ("MS", "Mississippi", 5, 6),
    ("AL", "Alabama", 6, 6),
    ("GA", "Georgia", 7, 6),
    ("HI", "Hawaii", 0, 7),
    ("TX", "Texas", 3, 7),
    ("FL", "Florida", 8, 7),
    ("AS", "American Samoa", 0, 8),
    ("GU", "Guam", 1, 8),
    ("MP", "Northern Mariana Islands", 2, 8),
    ("PR", "Puerto Rico", 9, 8),
    ("VI", "Virgin Islands", 10, 8),
];

/// The row of the territories, which is drawn where one has a row.
const TERRITORIES: i32 = 8;
const COLUMNS: i32 = 11;
const TILE: (i32, i32) = (78, 50);

/// From few to much.
const SHADES: [RGBColor; 5] = [
    RGBColor(0xde, 0xeb, 0xf7),
    RGBColor(0xa6, 0xcb, 0xe3),
    RGBColor(0x60, 0xa5, 0xd1),
    RGBColor(0x21, 0x6f, 0xb4),
    RGBColor(0x0a, 0x3a, 0x78),
];
/// Too few people.
const HIDDEN: RGBColor = RGBColor(0xee, 0xea, 0xe2);

/// What is drawn of states; why not, if a state has two rows.
pub(crate) fn draw(plot: &Plot, unit: Option<&str>) -> Result<Result<Drawn, String>, Failed> {
    let line = plot.lines.first();
    let mut tiles: Vec<Option<&Point>> = vec![None; STATES.len()];
    let mut elsewhere: Vec<&str> = Vec::new();
    for (label, point) in plot
        .labels
        .iter()
        .zip(line.iter().flat_map(|line| &line.points))
    {
        let word = label.trim();
        let found = STATES.iter().position(|(code, name, _, _)| {
            code.eq_ignore_ascii_case(word) || name.eq_ignore_ascii_case(word)
        });
        match found.and_then(|index| tiles.get_mut(index)) {
            Some(Some(_)) => return Ok(Err(word.to_owned())),
            Some(tile) => *tile = Some(point),
            None => elsewhere.push(if word.is_empty() { "no state" } else { word }),
        }
    }
    let mut values: Vec<f64> = tiles
        .iter()
        .flatten()
        .filter_map(|point| point.value())
        .collect();
    values.sort_by(f64::total_cmp);
    let bounds = bounds(&values);

    let shown = STATES.iter().zip(&tiles);
    let far = shown
        .clone()
        .any(|((_, _, _, row), tile)| *row == TERRITORIES && tile.is_some());
    let rows = if far { TERRITORIES + 1 } else { TERRITORIES };
    let height = (rows * (TILE.1 + 3) + 4) as u32;
    let left = (WIDTH as i32 - COLUMNS * (TILE.0 + 3)) / 2;
    let (mut hidden, mut svg) = (false, String::new());
    {
        let area = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        for ((code, _, column, row), tile) in shown {
            if *row == TERRITORIES && tile.is_none() {
                continue;
            }
            let (x, y) = (left + column * (TILE.0 + 3), 2 + row * (TILE.1 + 3));
            let corners = [(x, y), (x + TILE.0, y + TILE.1)];
            let middle = x + TILE.0 / 2;
            let (fill, ink, text) = match tile {
                Some(Point::Value { value, .. }) => {
                    let shade = shade(&bounds, *value);
                    let fill = SHADES.get(shade).copied().unwrap_or(GRID);
                    let ink = if shade > 2 { WHITE } else { INK };
                    (fill, ink, number::short(*value, unit))
                }
                Some(Point::Few) => {
                    hidden = true;
                    (HIDDEN, FAINT, "few".to_owned())
                }
                Some(Point::None) | None => (WHITE, FAINT, String::new()),
            };
            area.draw(&Rectangle::new(corners, fill.filled()))?;
            area.draw(&Rectangle::new(corners, GRID))?;
            let up = if text.is_empty() { 0 } else { 9 };
            write(
                &area,
                code,
                (middle, y + TILE.1 / 2 - up),
                (ink, HPos::Center),
            )?;
            if !text.is_empty() {
                write(
                    &area,
                    &text,
                    (middle, y + TILE.1 / 2 + up),
                    (ink, HPos::Center),
                )?;
            }
        }
        area.present()?;
    }
    let mut legend = Vec::new();
    for (index, colour) in SHADES.iter().enumerate().take(bounds.len()) {
        let of_shade = || {
            values
                .iter()
                .copied()
                .filter(|value| shade(&bounds, *value) == index)
        };
        let (Some(least), Some(most)) = (of_shade().reduce(f64::min), of_shade().reduce(f64::max))
        else {
            continue;
        };
        let (least, most) = (number::short(least, unit), number::short(most, unit));
        let text = if least == most {
            least
        } else {
            format!("{least} to {most}")
        };
        legend.push((*colour, text));
    }
    if hidden {
        legend.push((HIDDEN, "too few people to show".to_owned()));
    }
    let notes = match elsewhere.as_slice() {
        [] => Vec::new(),
        places => {
            let some: Vec<&str> = places.iter().copied().take(10).collect();
            let more = if places.len() > some.len() {
                ", …"
            } else {
                ""
            };
            vec![format!("Not on the map: {}{more}.", some.join(", "))]
        }
    };
    Ok(Ok(Drawn { svg, legend, notes }))
}

/// The greatest value of each shade, so that each has about as many states.
fn bounds(sorted: &[f64]) -> Vec<f64> {
    let mut bounds: Vec<f64> = (1..=SHADES.len())
        .filter_map(|part| {
            sorted.get(
                (sorted.len() * part)
                    .div_ceil(SHADES.len())
                    .checked_sub(1)?,
            )
        })
        .copied()
        .collect();
    bounds.dedup();
    bounds
}

fn shade(bounds: &[f64], value: f64) -> usize {
    bounds.iter().take_while(|bound| value > **bound).count()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_state_has_a_tile_of_its_own() {
        let tiles: BTreeSet<(i32, i32)> = STATES.iter().map(|(_, _, x, y)| (*x, *y)).collect();
        let codes: BTreeSet<&str> = STATES.iter().map(|(code, ..)| *code).collect();
        assert_eq!((tiles.len(), codes.len(), STATES.len()), (56, 56, 56));
        assert!(STATES.iter().all(|(_, _, x, _)| (0..COLUMNS).contains(x)));
    }

    #[test]
    fn shades_have_about_as_many_states() {
        let values: Vec<f64> = (1..=50).map(f64::from).collect();
        let bounds = bounds(&values);
        assert_eq!(bounds, [10.0, 20.0, 30.0, 40.0, 50.0]);
        assert_eq!(shade(&bounds, 10.0), 0);
        assert_eq!(shade(&bounds, 50.0), 4);
        assert_eq!(super::bounds(&[7.0]), [7.0]);
        assert_eq!(super::bounds(&[]), [0.0; 0]);
    }
}
