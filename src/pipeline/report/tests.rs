use super::*;

#[test]
fn what_differs_from_the_preset_is_named() {
    let mut preset = Preset::load("draft").expect("a preset");
    assert!(changed(&preset, "draft").is_empty(), "as it came");
    preset.set("ham.level", "3").expect("a setting");
    assert_eq!(changed(&preset, "draft"), ["ham.level = 3"], "by its path");
    assert!(changed(&preset, "no such preset").is_empty(), "nothing to compare with");
}

#[test]
fn figures_leave_out_what_is_not_known() {
    let image = crate::metrics::ImageScore { psnr_shared: Some(25.04), iou: Some(0.9), ..Default::default() };
    let shaded = crate::metrics::ShadingScore { image, gain: [1.0; 3] };
    let view = ViewScore { name: "00".into(), shaded, mask_trusted: Some(true), ..ViewScore::default() };
    let names = |e: &Evaluation| figures(e).iter().map(|f| f.name.clone()).collect::<Vec<_>>();
    let evaluation = Evaluation::new(vec![view.clone()], MeshScore::default(), None);
    assert_eq!(names(&evaluation), ["PSNR", "Silhouette IoU"], "no network, no truth, nothing held out");
    assert_eq!(figures(&evaluation)[0].value, "25.0 dB", "rounded");
    let held = ViewScore { held_out: true, ..view.clone() };
    let surface = crate::metrics::SurfaceScore { joint_mean_mm: Some(0.5), ..Default::default() };
    let evaluation = Evaluation::new(vec![view, held], MeshScore::default(), Some(surface));
    assert_eq!(names(&evaluation), ["PSNR", "PSNR, held out", "Silhouette IoU", "Surface", "Joints"], "all of it");
}
