//! Means and co-moments of columns, in one pass and in parts.
//!
//! A row is taken in by Welford's update; two parts are merged by the formula of T. F. Chan, G. H. Golub and R. J.
//! LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample Variances" (1979), for pairs of columns.

use serde::Serialize;
use weir_plugin::serde::Deserialize;

/// How much of its variance a feature must keep once those before it are taken out of it.
const INDEPENDENT: f64 = 1e-10;

/// Of columns, of which the last is the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moments {
    rows: u64,
    means: Vec<f64>,
    /// The sums of products of deviations, for pairs (i, j) with j ≤ i, row by row.
    products: Vec<f64>,
}

/// A fit by least squares.
pub(crate) struct Fit {
    pub(crate) intercept: f64,
    pub(crate) coefficients: Vec<f64>,
    /// The root of the mean squared residual.
    pub(crate) rmse: f64,
    /// What part of the target's variance is explained; none if it has none.
    pub(crate) r2: Option<f64>,
}

impl Moments {
    /// Of so many columns, and no rows.
    pub(crate) fn of(columns: usize) -> Moments {
        Moments {
            rows: 0,
            means: vec![0.0; columns],
            products: vec![0.0; columns * (columns + 1) / 2],
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Takes in a row, of a value for each column.
    pub(crate) fn add(&mut self, values: &[f64]) {
        self.rows += 1;
        let share = 1.0 / self.rows as f64;
        // Deviations from the mean before; the mean after is by `share` of them nearer.
        let before: Vec<f64> = values.iter().zip(&self.means).map(|(v, m)| v - m).collect();
        for (mean, deviation) in self.means.iter_mut().zip(&before) {
            *mean += deviation * share;
        }
        let rest = 1.0 - share;
        self.each_pair(|i, j, product| {
            if let (Some(a), Some(b)) = (before.get(i), before.get(j)) {
                *product += a * b * rest;
            }
        });
    }

    /// Takes in the rows of another part.
    pub(crate) fn merge(&mut self, other: &Moments) {
        let rows = self.rows + other.rows;
        if rows == 0 {
            return;
        }
        let (here, there) = (self.rows as f64, other.rows as f64);
        let total = rows as f64;
        let apart: Vec<f64> = other
            .means
            .iter()
            .zip(&self.means)
            .map(|(there, here)| there - here)
            .collect();
        for (mean, apart) in self.means.iter_mut().zip(&apart) {
            *mean += apart * there / total;
        }
        let weight = here * there / total;
        let mut others = other.products.iter();
        self.each_pair(|i, j, product| {
            let between = match (apart.get(i), apart.get(j)) {
                (Some(a), Some(b)) => a * b * weight,
                _ => 0.0,
            };
            *product += others.next().copied().unwrap_or_default() + between;
        });
        self.rows = rows;
    }

    fn each_pair(&mut self, mut each: impl FnMut(usize, usize, &mut f64)) {
        let mut products = self.products.iter_mut();
        for i in 0..self.means.len() {
            for j in 0..=i {
                if let Some(product) = products.next() {
                    each(i, j, product);
                }
            }
        }
    }

    fn product(&self, i: usize, j: usize) -> f64 {
        let (i, j) = (i.max(j), i.min(j));
        let at = i * (i + 1) / 2 + j;
        self.products.get(at).copied().unwrap_or_default()
    }

    /// Fits the last column to those before it, by a Cholesky decomposition of the features' products.
    ///
    /// # Errors
    /// The feature that those before it determine; none if there are too few rows.
    pub(crate) fn fit(&self, ridge: f64) -> Result<Fit, Option<usize>> {
        let features = self.means.len().saturating_sub(1);
        if self.rows <= features as u64 {
            return Err(None);
        }
        let count = self.rows as f64;
        let mut lower = vec![vec![0.0_f64; features]; features];
        for i in 0..features {
            for j in 0..=i {
                let mut sum = self.product(i, j);
                if i == j {
                    sum += ridge * count;
                }
                for k in 0..j {
                    sum -= at(&lower, i, k) * at(&lower, j, k);
                }
                let value = if i == j {
                    let own = self.product(i, i) + ridge * count;
                    if sum <= INDEPENDENT * own || sum <= 0.0 {
                        return Err(Some(i));
                    }
                    sum.sqrt()
                } else {
                    sum / at(&lower, j, j)
                };
                if let Some(cell) = lower.get_mut(i).and_then(|row| row.get_mut(j)) {
                    *cell = value;
                }
            }
        }
        // Forward, then backward.
        let mut half = Vec::with_capacity(features);
        for i in 0..features {
            let mut sum = self.product(features, i);
            for (k, value) in half.iter().enumerate() {
                sum -= at(&lower, i, k) * value;
            }
            half.push(sum / at(&lower, i, i));
        }
        let mut coefficients = vec![0.0; features];
        for i in (0..features).rev() {
            let mut sum = half.get(i).copied().unwrap_or_default();
            for k in i + 1..features {
                sum -= at(&lower, k, i) * coefficients.get(k).copied().unwrap_or_default();
            }
            if let Some(coefficient) = coefficients.get_mut(i) {
                *coefficient = sum / at(&lower, i, i);
            }
        }
        let means = self.means.iter().zip(&coefficients);
        let explained_mean: f64 = means.map(|(mean, coefficient)| mean * coefficient).sum();
        let target_mean = self.means.last().copied().unwrap_or_default();
        // The squared residuals: y'y - 2 b'X'y + b'X'X b, all centred.
        let total = self.product(features, features);
        let mut residual = total;
        for (i, b) in coefficients.iter().enumerate() {
            residual -= 2.0 * b * self.product(features, i);
            for (j, c) in coefficients.iter().enumerate() {
                residual += b * c * self.product(i, j);
            }
        }
        let residual = residual.max(0.0);
        Ok(Fit {
            intercept: target_mean - explained_mean,
            coefficients,
            rmse: (residual / count).sqrt(),
            r2: (total > 0.0).then(|| 1.0 - residual / total),
        })
    }
}

fn at(matrix: &[Vec<f64>], row: usize, column: usize) -> f64 {
    let row = matrix.get(row);
    row.and_then(|row| row.get(column))
        .copied()
        .unwrap_or_default()
}
