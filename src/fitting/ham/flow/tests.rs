use super::*;

const SIZE_PX: [u32; 2] = [192, 128];
const PRIOR: Prior = Prior { shift_px: 4.0, bend_px: 2.0 };

/// A mottled disc with lines, as skin has them; premultiplied.
fn hand(p: [f64; 2]) -> [f64; 4] {
    let (x, y) = (p[0], p[1]);
    let covered = (52.0 - (x - 96.0).hypot(1.2 * (y - 64.0)) + 0.5).clamp(0.0, 1.0);
    let wave = (0.42 * x).sin() * (0.37 * y + 1.0).cos() + 0.6 * (0.23 * x + 0.31 * y).sin();
    let colour = [0.6 + 0.08 * wave, 0.45 + 0.07 * wave, 0.4 - 0.05 * wave];
    [colour[0] * covered, colour[1] * covered, colour[2] * covered, covered]
}

fn shift(p: [f64; 2]) -> [f64; 2] {
    [2.2 * (0.03 * p[1] + 0.4).sin(), 1.8 * (0.035 * p[0]).cos()]
}

fn centre(i: u32) -> [f64; 2] {
    [f64::from(i % SIZE_PX[0]) + 0.5, f64::from(i / SIZE_PX[0]) + 0.5]
}

fn rendered() -> Vec<[f32; 4]> {
    (0..SIZE_PX[0] * SIZE_PX[1]).map(|i| hand(centre(i)).map(super::super::to_f32)).collect()
}

/// A photograph that shows at `p + shift(p)` what is rendered at `p`, `exposure` times as bright, before a grey wall.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a byte")]
fn photograph(exposure: f64, moved: bool) -> Vec<u32> {
    let byte = |x: f64, top: f64| (x * top).round().clamp(0.0, top) as u8;
    let pixel = |i: u32| {
        let q = centre(i);
        let mut p = q;
        for _ in 0..20 {
            let w = if moved { shift(p) } else { [0.0; 2] };
            p = [q[0] - w[0], q[1] - w[1]];
        }
        let [r, g, b, a] = hand(p);
        let wall = 0.3 * (1.0 - a);
        let [r, g, b] = [r, g, b].map(|c| byte(c * exposure + wall, 255.0));
        u32::from_le_bytes([r, g, b, byte(a, 254.0)])
    };
    (0..SIZE_PX[0] * SIZE_PX[1]).map(pixel).collect()
}

/// Root mean square over the disc of what shifts are off by.
fn off_px(found: &ImageWarp, moved: bool) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    for i in 0..SIZE_PX[0] * SIZE_PX[1] {
        let p = centre(i);
        if hand(p)[3] > 0.99 {
            let (w, truth) = (found.shift(p), if moved { shift(p) } else { [0.0; 2] });
            sum += (w[0] - truth[0]).powi(2) + (w[1] - truth[1]).powi(2);
            count += 1.0;
        }
    }
    (sum / f64::max(count, 1.0)).sqrt()
}

fn found(exposure: f64, moved: bool) -> ImageWarp {
    let sight = Sight { width: SIZE_PX[0] as usize, rendered: &rendered(), target: &photograph(exposure, moved) };
    let mut warp = ImageWarp::still([0.0; 2], SIZE_PX, 12.0);
    for _ in 0..3 {
        warp = flow(&sight, &warp, &PRIOR);
    }
    warp
}

#[test]
fn shifts_of_a_photograph_are_found_whatever_its_exposure() {
    let none = off_px(&ImageWarp::still([0.0; 2], SIZE_PX, 12.0), true);
    assert!(none > 2.0, "there is something to find: {none} px");
    for exposure in [1.0, 0.85] {
        let off = off_px(&found(exposure, true), true);
        assert!(off < 0.25, "exposure {exposure}: off by {off} px, {none} without");
    }
    let still = off_px(&found(1.0, false), false);
    assert!(still < 0.05, "what is right stays: {still} px");
}

#[test]
fn straightened_photographs_fall_on_the_render() {
    let warp = found(1.0, true);
    let photo = photograph(1.0, true);
    let apart = |pixels: &[u32]| {
        let (mut sum, mut count) = (0.0, 0.0);
        for (pixel, word) in rendered().iter().zip(pixels) {
            if pixel[3] > 0.999 {
                sum += (f64::from(pixel[0]) - f64::from(word.to_le_bytes()[0]) / 255.0).powi(2);
                count += 1.0;
            }
        }
        f64::sqrt(sum / count)
    };
    let (before, after) = (apart(&photo), apart(&straightened(&photo, SIZE_PX[0] as usize, Some(&warp), |_| 1.0)));
    assert!(after < 0.25 * before, "{after} after, {before} before");
    let dim = straightened(&photo, SIZE_PX[0] as usize, None, |p| if p[0] < 96.0 { 0.5 } else { 1.0 });
    let red = |list: &[u32], i: usize| list[i].to_le_bytes()[0];
    let (left, right) = (64 * 192 + 70, 64 * 192 + 120);
    assert!(red(&dim, left).abs_diff((2 * u32::from(red(&photo, left))).min(255) as u8) < 2, "brightened");
    assert_eq!(red(&dim, right), red(&photo, right), "and not where nothing is missing");
}

#[test]
fn a_view_without_hands_is_not_shifted() {
    let pixels = (SIZE_PX[0] * SIZE_PX[1]) as usize;
    let nothing = Sight { width: SIZE_PX[0] as usize, rendered: &vec![[0.0; 4]; pixels], target: &vec![0; pixels] };
    let still = ImageWarp::still([0.0; 2], SIZE_PX, 12.0);
    assert_eq!(flow(&nothing, &still, &PRIOR), still, "nothing to see");
    let unknown = Sight { target: &vec![u32::MAX; pixels], rendered: &rendered(), ..nothing };
    assert_eq!(flow(&unknown, &still, &PRIOR), still, "nothing known");
    let tiny = Sight { width: 8, rendered: &[[1.0; 4]; 64], target: &[0xfeff_ffff; 64] };
    assert_eq!(flow(&tiny, &still, &PRIOR), still, "nothing to compare on");
}

/// The solver against the equations it solves.
#[test]
fn the_system_is_solved() {
    let sight = Sight { width: SIZE_PX[0] as usize, rendered: &rendered(), target: &photograph(1.0, true) };
    let warp = ImageWarp::still([0.0; 2], SIZE_PX, 16.0);
    let system = System::new(&sight, sight.target, &warp, &PRIOR).expect("a hand");
    let x = system.solved();
    let size = |v: &[[f64; 2]]| v.iter().flatten().map(|x| x * x).sum::<f64>().sqrt();
    let left: Vec<[f64; 2]> =
        system.times(&x).iter().zip(&system.right).map(|(a, b)| [a[0] - b[0], a[1] - b[1]]).collect();
    assert!(size(&left) < 1e-4 * size(&system.right), "{} of {}", size(&left), size(&system.right));
    assert!(size(&x) > 1.0, "there is a step");
}
