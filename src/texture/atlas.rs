//! The texels of a UV layout: which triangle each belongs to and where on it; and spreading what was painted beyond the
//! islands, so that filtering and mip levels see no background.

/// Texels that values spread beyond the UV islands.
pub const PADDING: u32 = 8;

/// Calls `visit(texel, barycentrics)` for each texel whose centre lies in a UV triangle (either winding, edges included).
/// The texture is `size × size`, its top row at v = 1; `texel` counts row by row.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the texture before the cast")]
pub fn texels(size: u32, uvs: [[f64; 2]; 3], mut visit: impl FnMut(usize, [f32; 3])) {
    let side = f64::from(size);
    let p = uvs.map(|[u, v]| [u * side, (1.0 - v) * side]);
    let cross = |a: [f64; 2], b: [f64; 2], c: [f64; 2]| (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
    let area = cross(p[0], p[1], p[2]);
    if area == 0.0 || !area.is_finite() {
        return;
    }
    let span = |axis: usize| {
        let low = p[0][axis].min(p[1][axis]).min(p[2][axis]) - 0.5;
        let high = p[0][axis].max(p[1][axis]).max(p[2][axis]) - 0.5;
        (low.ceil().max(0.0), high.floor().min(side - 1.0))
    };
    let ((x0, x1), (y0, y1)) = (span(0), span(1));
    if x0 > x1 || y0 > y1 {
        return;
    }
    for y in y0 as u32..=y1 as u32 {
        for x in x0 as u32..=x1 as u32 {
            let q = [f64::from(x) + 0.5, f64::from(y) + 0.5];
            let b = [cross(p[1], p[2], q) / area, cross(p[2], p[0], q) / area, cross(p[0], p[1], q) / area];
            if b.iter().all(|&w| w >= 0.0) {
                visit(y as usize * size as usize + x as usize, b.map(|w| w as f32));
            }
        }
    }
}

/// Spreads filled texels over empty ones, `rounds` texels far: each empty texel takes the mean of its filled neighbours
/// (eight). The same bytes each time: a round reads only what the rounds before it left.
pub fn spread<const N: usize>(values: &mut [[f32; N]], filled: &mut [bool], size: u32, rounds: u32) {
    let n = size as usize;
    let around = |at: usize| {
        let (x, y) = (at % n, at / n);
        (y.saturating_sub(1)..=(y + 1).min(n - 1))
            .flat_map(move |ny| (x.saturating_sub(1)..=(x + 1).min(n - 1)).map(move |nx| ny * n + nx))
    };
    // Only the rim of what is filled can grow, so a round looks at the neighbours of the last one.
    let mut rim: Vec<usize> =
        (0..filled.len()).filter(|&at| !filled[at] && around(at).any(|other| filled[other])).collect();
    for _ in 0..rounds {
        let grown: Vec<[f32; N]> = rim
            .iter()
            .map(|&at| {
                let (mut sum, mut count) = ([0.0_f32; N], 0.0_f32);
                for other in around(at).filter(|&other| filled[other]) {
                    for (s, v) in sum.iter_mut().zip(&values[other]) {
                        *s += v;
                    }
                    count += 1.0;
                }
                sum.map(|s| s / count)
            })
            .collect();
        for (&at, value) in rim.iter().zip(grown) {
            values[at] = value;
            filled[at] = true;
        }
        let mut next: Vec<usize> = rim.iter().flat_map(|&at| around(at)).filter(|&at| !filled[at]).collect();
        next.sort_unstable();
        next.dedup();
        rim = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texels_of_a_square_are_visited_and_know_their_place() {
        // Two triangles over the lower left quarter of an 8×8 texture.
        let quarter = [[[0.0, 0.0], [0.5, 0.0], [0.0, 0.5]], [[0.5, 0.5], [0.0, 0.5], [0.5, 0.0]]];
        let mut seen = [0; 64];
        for uvs in quarter {
            texels(8, uvs, |at, b| {
                seen[at] += 1;
                let u: f64 = (0..3).map(|i| f64::from(b[i]) * uvs[i][0]).sum();
                let v: f64 = (0..3).map(|i| f64::from(b[i]) * uvs[i][1]).sum();
                let centre = [((at % 8) as f64 + 0.5) / 8.0, 1.0 - ((at / 8) as f64 + 0.5) / 8.0];
                assert!((u - centre[0]).abs() < 1e-6 && (v - centre[1]).abs() < 1e-6, "texel {at} is at {u} {v}");
            });
        }
        for (at, count) in seen.iter().enumerate() {
            let inside = at % 8 < 4 && at / 8 >= 4;
            assert_eq!(*count > 0, inside, "texel {at} was visited {count} times");
        }
        texels(8, [[0.1, 0.1], [0.1, 0.1], [0.2, 0.2]], |at, _| panic!("no area, but texel {at}"));
    }

    #[test]
    fn spreading_goes_as_far_as_asked_and_changes_nothing_that_is_there() {
        let n = 16_u32;
        let mut values = vec![[0.0_f32]; 256];
        let mut filled = vec![false; 256];
        (values[8 * 16 + 8], filled[8 * 16 + 8]) = ([3.0], true);
        (values[8 * 16 + 9], filled[8 * 16 + 9]) = ([5.0], true);
        spread(&mut values, &mut filled, n, 2);
        for y in 0..16_usize {
            for x in 0..16_usize {
                let away = (y.abs_diff(8)).max(x.abs_diff(8).min(x.abs_diff(9)));
                assert_eq!(filled[y * 16 + x], away <= 2, "{x} {y}");
            }
        }
        assert!(values[8 * 16 + 8] == [3.0] && values[8 * 16 + 9] == [5.0], "what was there stays");
        assert!(values[8 * 16 + 7] == [3.0] && values[7 * 16 + 8] == [4.0], "the mean of the neighbours");
    }
}
