use super::*;
use crate::metrics::reference::{self, changed, close, pattern};

#[test]
fn it_agrees_with_the_authors_program() {
    let values = reference::values();
    let list = values["flip"].as_array().expect("a list");
    assert_eq!(list.len(), 12, "six changes at two sizes");
    for expected in list {
        let size = |name: &str| usize::try_from(expected[name].as_u64().expect(name)).expect("small");
        let (width, height) = (size("width"), size("height"));
        let name = expected["name"].as_str().expect("a name");
        let image = pattern(width, height);
        let (_, other) = changed(&image).into_iter().find(|(n, _)| *n == name).expect(name);
        let map = flip_map(&image, &other);
        let mean = map.iter().sum::<f64>() / map.len() as f64;
        close(mean, expected["mean"].as_f64().expect("a mean"), 1e-4, &format!("mean of {name} at {width}×{height}"));
        let places = [(0, 0), (width / 2, height / 2), (width - 2, height - 1)];
        for ((x, y), pixel) in places.into_iter().zip(expected["pixels"].as_array().expect("pixels")) {
            // The exponent below one makes much of rounding where the difference is almost nothing.
            let value = pixel.as_f64().expect("a number");
            close(map[y * width + x], value, 1e-3, &format!("{name} at {width}×{height}, pixel {x}, {y}"));
        }
    }
}

#[test]
fn it_is_symmetric_within_bounds_and_sees_what_is_there() {
    let image = pattern(40, 30);
    for (name, other) in changed(&image) {
        let (there, back) = (flip_map(&image, &other), flip_map(&other, &image));
        assert!(there.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-12), "{name}: the same both ways");
        assert!(there.iter().all(|e| (0.0..=1.0).contains(e)), "{name}: 0 to 1");
        assert_eq!(there.iter().all(|e| *e == 0.0), name == "same", "{name}: none but for equal images");
    }
    let plain = |rgb| Picture { width: 12, height: 9, rgb: vec![rgb; 108] };
    let worst = flip_map(&plain([0.0, 1.0, 0.0]), &plain([0.0, 0.0, 1.0]));
    assert!(worst.iter().all(|e| (e - 1.0).abs() < 1e-9), "green against blue is the largest: {}", worst[0]);
}

#[test]
fn only_what_is_shown_is_computed_with_the_same_result() {
    let (width, height) = (90, 70);
    let shown: Vec<bool> = (0..width * height).map(|i| (30..52).contains(&(i % width)) && i / width > 40).collect();
    let cut = |p: Picture| Picture {
        rgb: p.rgb.iter().zip(&shown).map(|(c, s)| if *s { *c } else { [0.0; 3] }).collect(),
        ..p
    };
    let (a, b) = (cut(pattern(width, height)), cut(pattern(width, height).with_gain([0.8, 1.0, 0.9])));
    let whole = flip_map(&a, &b);
    let narrow: Vec<bool> = (0..width * height).map(|i| shown[i] && i % width < 40).collect();
    let mean = |mask: &[bool]| {
        let picked: Vec<f64> = whole.iter().zip(mask).filter(|(_, m)| **m).map(|(e, _)| *e).collect();
        picked.iter().sum::<f64>() / picked.len() as f64
    };
    let [all, part, none] = flip_over(&a, &b, &shown, [&shown, &narrow, &vec![false; width * height]]);
    close(all.expect("a mean"), mean(&shown), 1e-12, "over what is shown");
    close(part.expect("a mean"), mean(&narrow), 1e-12, "over a part of it");
    assert_eq!(none, None, "over nothing");
    assert_eq!(flip_over(&a, &b, &vec![false; width * height], [&shown]), [None], "nothing is shown");
}
