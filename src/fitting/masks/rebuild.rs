//! A mask from the fitted silhouette and the photograph alone: minimum cuts with colour models that are learned again from
//! each result (`GrabCut`: Rother, Kolmogorov, Blake 2004), at half size, then along the outline at full size.
//!
//! Energy of a labelling: for each pixel called background `e + s`, with `e` the evidence of its colour for the hand
//! (nats) and `s` the fitted silhouette's word, its signed distance over [`PRIOR_MM`]; for each pair of 8-neighbours with
//! different labels `λ exp(−|Δ|² / 2⟨|Δ|²⟩) / d`, `Δ` their difference in Oklab and `d` their distance.

use super::colour::Colours;
use super::max_flow::Graph;
use super::region::Region;
use super::silhouette::Silhouette;

/// Distance to the fitted outline at which the silhouette says one nat, millimetres: a fit is several off at fingertips.
const PRIOR_MM: f64 = 3.0;
/// The silhouette never says more than this, nats: less than a colour can.
const PRIOR_MOST: f64 = 4.0;
/// Colours of hands are learned at least this far inside the fitted outline at first, millimetres …
const CORE_MM: f64 = 5.0;
/// … and those of the rest this far outside.
const OUTER_MM: f64 = 12.0;
/// Farther outside than this nothing is hand, millimetres.
pub(super) const FAR_MM: f64 = 30.0;
/// Where a forearm may be, farther outside than this nothing is told apart, millimetres.
const ARM_NEAR_MM: f64 = 12.0;
/// What a pixel of a mask that is right where it is weighs, nats.
const KEPT: f64 = 2.0;
/// Weight of an outline through even colours.
const SMOOTHNESS: f64 = 2.0;
/// Rounds of cut and colours.
const ROUNDS: usize = 3;
/// Half width of the band around the outline that is cut again at full size, pixels.
const BAND_PX: f64 = 4.0;

/// What speaks for the hand at each pixel.
#[derive(Clone)]
pub(super) struct Word {
    /// Evidence of the colour, nats.
    pub colour: Vec<f64>,
    /// How alike hands and background are, 0…1.
    pub overlap: f64,
}

impl Word {
    /// Colours learned from the silhouette: its inside against what is around it.
    pub(super) fn first(colours: &Colours, s: &Silhouette) -> Self {
        let (colour, overlap) =
            colours.evidence(|p| s.signed_mm[p] > CORE_MM, |p| s.signed_mm[p] < -OUTER_MM && !s.arm_zone[p]);
        Self { colour, overlap }
    }

    /// Colours learned from a labelling: what is hand and near the silhouette against what is neither hand nor forearm.
    fn again(colours: &Colours, s: &Silhouette, hand: &[bool]) -> Self {
        let (colour, overlap) =
            colours.evidence(|p| hand[p] && s.signed_mm[p] > -OUTER_MM, |p| !hand[p] && !s.arm_zone[p]);
        Self { colour, overlap }
    }

    /// Evidence of colour and silhouette together at a pixel, nats.
    pub(super) fn at(&self, s: &Silhouette, pixel: usize) -> f64 {
        self.colour[pixel] + (s.signed_mm[pixel] / PRIOR_MM).clamp(-PRIOR_MOST, PRIOR_MOST)
    }
}

/// Pixels where hand and background are told apart.
pub(super) fn decided(s: &Silhouette, pixel: usize) -> bool {
    s.signed_mm[pixel] > if s.arm_zone[pixel] { -ARM_NEAR_MM } else { -FAR_MM }
}

/// The rebuilt mask and the word it was built on. `kept` are hand pixels of a given mask that is to be added to.
pub(super) fn rebuild(colours: &Colours, s: &Silhouette, first: &Word, kept: Option<&[bool]>) -> (Vec<bool>, Word) {
    let half = Half::new(colours, s);
    let mut word = first.clone();
    let speaks = |word: &Word, p: usize| word.at(s, p) + if kept.is_some_and(|k| k[p]) { KEPT } else { 0.0 };
    let mut coarse = Vec::new();
    let mut hand = Vec::new();
    for _ in 0..ROUNDS {
        let next = half.cut(s, |p| speaks(&word, p));
        if next == coarse {
            break;
        }
        coarse = next;
        hand = half.enlarged(&s.region, &coarse);
        word = Word::again(colours, s, &hand);
    }
    let hand = along_the_outline(colours, s, |p| speaks(&word, p), &hand);
    (hand, word)
}

/// Everything at half size.
struct Half {
    region: Region,
    lab: Vec<[f64; 3]>,
    decided: Vec<bool>,
}

impl Half {
    fn new(colours: &Colours, s: &Silhouette) -> Self {
        let (width, height) = (s.region.width.div_ceil(2), s.region.height.div_ceil(2));
        let mut half = Self {
            region: Region { x0: s.region.x0 / 2, y0: s.region.y0 / 2, width, height },
            lab: Vec::with_capacity(width * height),
            decided: Vec::with_capacity(width * height),
        };
        for cell in 0..width * height {
            let mut lab = [0.0; 3];
            let mut any = false;
            let count = half.average(&s.region, cell, |pixel| {
                any |= decided(s, pixel);
                for (sum, x) in lab.iter_mut().zip(colours.lab[pixel]) {
                    *sum += x;
                }
            });
            half.lab.push(lab.map(|x| x / count));
            half.decided.push(any);
        }
        half
    }

    /// Visits the pixels of a cell; returns how many there are.
    fn average(&self, full: &Region, cell: usize, mut visit: impl FnMut(usize)) -> f64 {
        let (x, y) = (cell % self.region.width * 2, cell / self.region.width * 2);
        let mut count = 0.0;
        for py in y..(y + 2).min(full.height) {
            for px in x..(x + 2).min(full.width) {
                visit(py * full.width + px);
                count += 1.0;
            }
        }
        count
    }

    fn cut(&self, s: &Silhouette, speaks: impl Fn(usize) -> f64) -> Vec<bool> {
        let mut unary = vec![0.0; self.lab.len()];
        for (cell, u) in unary.iter_mut().enumerate() {
            if self.decided[cell] {
                let count = self.average(&s.region, cell, |pixel| *u += speaks(pixel));
                *u /= count;
            }
        }
        cut(&self.region, &self.decided, &unary, &self.lab, |_| None)
    }

    fn enlarged(&self, full: &Region, coarse: &[bool]) -> Vec<bool> {
        (0..full.len()).map(|p| coarse[p / full.width / 2 * self.region.width + p % full.width / 2]).collect()
    }
}

/// Cuts again at full size near the outline of `hand`; the rest stays.
fn along_the_outline(colours: &Colours, s: &Silhouette, speaks: impl Fn(usize) -> f64, hand: &[bool]) -> Vec<bool> {
    let distance = s.region.signed_distance(hand);
    let free: Vec<bool> = (0..hand.len()).map(|p| distance[p].abs() < BAND_PX && decided(s, p)).collect();
    let unary: Vec<f64> = (0..hand.len()).map(|p| if free[p] { speaks(p) } else { 0.0 }).collect();
    let band = cut(&s.region, &free, &unary, &colours.lab, |p| decided(s, p).then_some(hand[p]));
    (0..hand.len()).map(|p| if free[p] { band[p] } else { hand[p] && decided(s, p) }).collect()
}

/// The minimum cut over the free pixels; others are background in the result, and pull with the label `fixed` gives them.
fn cut(
    region: &Region,
    free: &[bool],
    unary: &[f64],
    lab: &[[f64; 3]],
    fixed: impl Fn(usize) -> Option<bool>,
) -> Vec<bool> {
    let mut node = vec![u32::MAX; free.len()];
    let mut terminal = Vec::new();
    for pixel in (0..free.len()).filter(|&p| free[p]) {
        node[pixel] = u32::try_from(terminal.len()).expect("regions have far fewer than 2^32 pixels");
        terminal.push(unary[pixel]);
    }
    let pairs = pairs(region, free);
    let difference = |a: usize, b: usize| (0..3).map(|k| (lab[a][k] - lab[b][k]).powi(2)).sum::<f64>();
    let mut mean = 0.0;
    for &(a, b, _) in &pairs {
        mean += difference(a, b);
    }
    let beta = 0.5 * f64::from(u32::try_from(pairs.len()).unwrap_or(u32::MAX)) / mean.max(1e-12);
    let cost = |a, b, length: f64| SMOOTHNESS * (-beta * difference(a, b)).exp() / length;
    let mut links = Vec::with_capacity(pairs.len());
    for &(a, b, length) in &pairs {
        if free[a] && free[b] {
            links.push((node[a], node[b], cost(a, b, length)));
        } else {
            let (inner, outer) = if free[a] { (a, b) } else { (b, a) };
            if let Some(label) = fixed(outer) {
                terminal[node[inner] as usize] += if label { cost(a, b, length) } else { -cost(a, b, length) };
            }
        }
    }
    let mut graph = Graph::new(terminal, links.len());
    for (a, b, cost) in links {
        graph.link(a, b, cost);
    }
    let foreground = graph.cut();
    node.iter().map(|&n| n != u32::MAX && foreground[n as usize]).collect()
}

/// Pairs of 8-neighbours of which at least one is free, with their distance in pixels.
fn pairs(region: &Region, free: &[bool]) -> Vec<(usize, usize, f64)> {
    let (width, height) = (region.width, region.height);
    let mut pairs = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let a = y * width + x;
            let mut add = |b: usize, length: f64| {
                if free[a] || free[b] {
                    pairs.push((a, b, length));
                }
            };
            if x + 1 < width {
                add(a + 1, 1.0);
            }
            if y + 1 < height {
                add(a + width, 1.0);
                if x + 1 < width {
                    add(a + width + 1, std::f64::consts::SQRT_2);
                }
                if x > 0 {
                    add(a + width - 1, std::f64::consts::SQRT_2);
                }
            }
        }
    }
    pairs
}
