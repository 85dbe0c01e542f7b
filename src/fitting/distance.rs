//! Exact Euclidean distances on a grid (Felzenszwalb & Huttenlocher 2012, "Distance Transforms of Sampled Functions").

/// Euclidean distance of each pixel to the nearest one of a set, centre to centre; infinite when the set is empty. Pixels are
/// row-major, `width` a row.
pub(super) fn distance_to(set: &[bool], width: usize) -> Vec<f64> {
    let height = set.len() / width.max(1);
    let mut squared: Vec<f64> = set.iter().map(|&s| if s { 0.0 } else { f64::INFINITY }).collect();
    let mut envelope = Envelope::new(width.max(height));
    let mut line = vec![0.0; height];
    for x in 0..width {
        for (y, value) in line.iter_mut().enumerate() {
            *value = squared[y * width + x];
        }
        envelope.transform(&mut line);
        for (y, value) in line.iter().enumerate() {
            squared[y * width + x] = *value;
        }
    }
    for row in squared.chunks_exact_mut(width.max(1)) {
        envelope.transform(row);
    }
    squared.into_iter().map(f64::sqrt).collect()
}

/// Distance to the set's outline, which runs between pixels: positive inside.
///
/// The same numbers as from [`distance_to`] the set and from [`distance_to`] its complement, at a third of the work: along a
/// column, distances to the nearest pixel of the other kind follow from two sweeps; along a row, the pixels at both ends of
/// a run of one kind are nearer than anything beyond them, so each run is an envelope of its own.
pub(super) fn signed_distance(set: &[bool], width: usize) -> Vec<f64> {
    let (sweeps, mut envelope) = (other_kind_along_columns(set, width), Envelope::new(width + 2));
    let mut line = Vec::with_capacity(width + 2);
    let mut distances = Vec::with_capacity(set.len());
    for (kinds, across) in set.chunks_exact(width.max(1)).zip(sweeps.chunks_exact(width.max(1))) {
        let mut from = 0;
        for run in kinds.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            let (before, after) = (from > 0, to < width);
            line.clear();
            line.extend(before.then_some(0.0));
            line.extend(across[from..to].iter().map(|d| d * d));
            line.extend(after.then_some(0.0));
            envelope.transform(&mut line);
            let squares = &line[usize::from(before)..][..run.len()];
            if run[0] {
                distances.extend(squares.iter().map(|square| square.sqrt() - 0.5));
            } else {
                distances.extend(squares.iter().map(|square| 0.5 - square.sqrt()));
            }
            from = to;
        }
    }
    distances
}

/// Distance of each pixel to the nearest one of its column that is of the other kind; infinite when there is none.
fn other_kind_along_columns(set: &[bool], width: usize) -> Vec<f64> {
    let mut distances = vec![f64::INFINITY; set.len()];
    let rows = set.len() / width.max(1);
    // What the row beyond, at `other`, says about row `y`.
    let mut sweep = |y: usize, other: usize| {
        let (mine, theirs) = (y * width, other * width);
        for x in 0..width {
            let near = if set[mine + x] == set[theirs + x] { distances[theirs + x] + 1.0 } else { 1.0 };
            distances[mine + x] = distances[mine + x].min(near);
        }
    };
    for y in 1..rows {
        sweep(y, y - 1);
    }
    for y in (0..rows.saturating_sub(1)).rev() {
        sweep(y, y + 1);
    }
    distances
}

/// Lower envelope of parabolas along a line.
struct Envelope {
    roots: Vec<usize>,
    borders: Vec<f64>,
    heights: Vec<f64>,
}

impl Envelope {
    fn new(size: usize) -> Self {
        Self { roots: vec![0; size], borders: vec![0.0; size + 1], heights: vec![0.0; size] }
    }

    #[expect(clippy::cast_precision_loss, reason = "pixel coordinates are far below 2^52")]
    fn transform(&mut self, line: &mut [f64]) {
        let mut count = 0;
        for (q, &height) in line.iter().enumerate() {
            if height.is_infinite() {
                continue;
            }
            let x = q as f64;
            loop {
                if count == 0 {
                    self.borders[0] = f64::NEG_INFINITY;
                    break;
                }
                let p = self.roots[count - 1] as f64;
                let meet = (height + x * x - self.heights[count - 1] - p * p) / (2.0 * (x - p));
                if meet > self.borders[count - 1] {
                    self.borders[count] = meet;
                    break;
                }
                count -= 1;
            }
            self.roots[count] = q;
            self.heights[count] = height;
            count += 1;
        }
        if count == 0 {
            return;
        }
        let mut k = 0;
        for (q, value) in line.iter_mut().enumerate() {
            let x = q as f64;
            while k + 1 < count && self.borders[k + 1] < x {
                k += 1;
            }
            *value = (x - self.roots[k] as f64).powi(2) + self.heights[k];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WIDTH: usize = 17;

    fn set(f: impl Fn(usize, usize) -> bool) -> Vec<bool> {
        (0..WIDTH * 13).map(|i| f(i % WIDTH, i / WIDTH)).collect()
    }

    #[test]
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    fn distances_are_those_of_a_search() {
        let points = set(|x, y| (x * 7 + y * 11) % 29 == 3);
        for (i, d) in distance_to(&points, WIDTH).iter().enumerate() {
            let best = (0..points.len())
                .filter(|&j| points[j])
                .map(|j| {
                    let (x, y) = ((i % WIDTH).abs_diff(j % WIDTH), (i / WIDTH).abs_diff(j / WIDTH));
                    (x as f64).hypot(y as f64)
                })
                .fold(f64::INFINITY, f64::min);
            assert!((d - best).abs() < 1e-12, "pixel {i}: {d}, by search {best}");
        }
        assert!(distance_to(&set(|_, _| false), WIDTH)[5].is_infinite(), "no set, no distance");
        let half = signed_distance(&set(|x, _| x < 8), WIDTH);
        assert_eq!((half[7], half[8], half[0]), (0.5, -0.5, 7.5), "the outline runs between the pixels");
    }

    #[test]
    fn signed_distances_are_those_to_the_set_and_to_its_complement() {
        let twice = |set: &[bool]| -> Vec<f64> {
            let outside: Vec<bool> = set.iter().map(|s| !s).collect();
            let (to_set, to_outside) = (distance_to(set, WIDTH), distance_to(&outside, WIDTH));
            set.iter()
                .zip(to_set.iter().zip(&to_outside))
                .map(|(&s, (a, b))| if s { b - 0.5 } else { 0.5 - a })
                .collect()
        };
        let sets = [
            set(|x, y| (x * 7 + y * 11) % 29 == 3),
            set(|x, y| (x * 5 + y * 3) % 7 < 3),
            set(|x, y| x.abs_diff(8) * x.abs_diff(8) + y.abs_diff(6) * y.abs_diff(6) < 20),
            set(|x, y| x == 0 || y == 12),
            set(|_, _| false),
            set(|_, _| true),
        ];
        for (number, set) in sets.iter().enumerate() {
            assert_eq!(signed_distance(set, WIDTH), twice(set), "set {number}: to the last bit");
        }
        assert_ne!(signed_distance(&sets[0], WIDTH), twice(&sets[1]), "the comparison sees another set");
    }
}
