use super::*;

fn picture(alt: &str) -> Picture {
    Picture { image: RgbImage::from_pixel(8, 6, image::Rgb([200, 100, 50])), alt: alt.to_owned() }
}

const HOSTILE: &str = "</script><script>alert(1)</script><img src=x onerror='alert(2)'>\" & \u{1b}[31m";

/// A report with something in every part, all its texts hostile.
fn hostile() -> Report {
    let text = HOSTILE.to_owned();
    let column = Column { title: text.clone(), help: text.clone(), number: false };
    let row = Row { cells: vec![HOSTILE.into(), Cell::number(Some(1.5), 2)], marked: true };
    let table = Table {
        caption: text.clone(),
        columns: vec![column, Column::number("PSNR", "dB")],
        rows: vec![row.clone()],
        foot: vec![row],
    };
    let series = Series { name: text.clone(), values: vec![Some(10.0), Some(0.0), Some(0.1)] };
    Report {
        title: text.clone(),
        facts: vec![(text.clone(), text.clone())],
        figures: vec![Figure { name: text.clone(), value: text.clone(), note: text.clone() }],
        model: Some(Model {
            glb: b"glTF".to_vec(),
            file_name: text.clone(),
            picture: picture(HOSTILE),
            most_mm: Some(2.0),
            note: text.clone(),
        }),
        errors: Some(ErrorMap { pictures: vec![picture(HOSTILE)], most_mm: 2.0, numbers: table.clone() }),
        views: Some(table.clone()),
        comparisons: vec![Wipe {
            title: text.clone(),
            note: text.clone(),
            photograph: picture(HOSTILE),
            renders: vec![(text.clone(), picture(HOSTILE)), ("neural".to_owned(), picture(HOSTILE))],
        }],
        charts: vec![Chart {
            title: text.clone(),
            x_label: text.clone(),
            x: vec![1.0, 2.0, 3.0],
            series: vec![series],
        }],
        meshes: Some(table),
        settings: text.clone(),
        log: text,
    }
}

#[test]
fn texts_of_files_cannot_become_part_of_the_page() {
    let html = hostile().to_html().expect("a page");
    assert!(!html.contains("<script>alert") && !html.contains("<img src=x"), "no tag of theirs");
    assert!(!html.contains('\u{1b}'), "no control character");
    // Our own scripts are the only ones that run: two, and their hashes are what the policy allows.
    assert_eq!(html.matches("<script>").count(), 2, "ours alone");
    let policy = html.split("script-src ").nth(1).and_then(|p| p.split('"').next()).expect("a policy");
    let bodies: Vec<&str> = html.split("<script>").skip(1).filter_map(|s| s.split("</script>").next()).collect();
    assert_eq!(policy, bodies.iter().map(|b| policy_hash(b)).collect::<Vec<_>>().join(" "), "by their hashes");
    assert!(html.contains("&lt;/script&gt;"), "the text is shown as text");
    assert!(html.contains("\\u003c/script\\u003e"), "in data as well");
    // Every attribute that is opened by a quote is closed before the next tag.
    for tag in html.split('<').skip(1).filter_map(|t| t.split('>').next()) {
        let quoted = tag.matches('"').count();
        assert!(quoted % 2 == 0 || tag.starts_with('!') || html.contains(&format!("{tag}</script>")), "`{tag}`");
    }
}

#[test]
fn nothing_is_fetched_from_anywhere() {
    let html = hostile().to_html().expect("a page");
    let without_policy = html.replace("default-src 'none'", "");
    for word in ["http:", "https:", "src=\"//", "url(", "@import", "<link rel=\"stylesheet"] {
        assert!(!without_policy.contains(word), "`{word}` in the page");
    }
}

#[test]
fn parts_without_content_are_left_out() {
    let html = Report { title: "a capture".into(), ..Report::default() }.to_html().expect("a page");
    assert!(html.contains("<title>a capture") && html.contains("id=\"settings\""), "title and settings");
    for absent in ["id=\"hands\"", "id=\"surface\"", "id=\"views\"", "id=\"curves\"", "<canvas"] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn base64_is_that_of_the_standard() {
    // RFC 4648 §10.
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(bytes.as_bytes()), text, "{bytes}");
    }
    assert_eq!(base64(&[255, 254, 253]), "//79", "the last digits");
}

#[test]
fn a_chart_has_axes_and_gaps() {
    let values = (0..900).map(|i| (i != 450).then(|| 100.0 * 0.99_f64.powi(i)));
    let chart = Chart {
        title: "shape".into(),
        x_label: "epoch".into(),
        x: (0..900).map(f64::from).collect(),
        series: vec![Series { name: "total".into(), values: values.collect() }],
    };
    let html = chart.html(3);
    for label in [">100<", ">1<", ">0.01<", ">200<", "epoch"] {
        assert!(html.contains(label), "{label} in {html}");
    }
    let near_one = Chart {
        series: vec![Series { name: "t".into(), values: vec![Some(0.77), Some(2.2)] }],
        x: vec![1.0, 2.0],
        ..chart.clone()
    };
    let narrow = near_one.html(0);
    assert!(
        narrow.contains(">0.8<") && narrow.contains(">1<") && narrow.contains(">2<"),
        "a narrow range has numbers: {narrow}"
    );
    let path = html.split(" d=\"M").nth(2).expect("a curve");
    assert!(path.split('"').next().expect("its end").matches('L').count() < 400, "thinned");
    let data = html.split("application/json\">").nth(1).and_then(|d| d.split("</script>").next()).expect("data");
    let data: serde_json::Value = serde_json::from_str(data).expect("JSON");
    let x = data["x"].as_array().expect("places");
    assert_eq!((x[0].as_f64(), x[x.len() - 1].as_f64()), (Some(0.0), Some(899.0)), "from end to end");
    let empty = Chart { series: vec![Series { name: "zero".into(), values: vec![Some(0.0)] }], x: vec![1.0], ..chart };
    assert!(empty.html(0).contains("No values"), "nothing to show is said");
}

#[test]
fn columns_of_numbers_keep_what_they_are_sorted_by() {
    let row = |v: Option<f64>| Row { cells: vec!["a".into(), Cell::number(v, 1)], marked: false };
    let table = Table {
        columns: vec![Column::text("view", ""), Column::number("PSNR", "")],
        rows: vec![row(Some(25.04)), row(None), row(Some(f64::INFINITY))],
        ..Table::default()
    };
    let html = table.html();
    assert!(html.contains("data-sort=\"25.04\">25.0<"), "the value behind the digits: {html}");
    assert!(html.contains("data-sort=\"\">–<"), "none");
    assert!(html.contains(">∞<"), "identical pictures");
}

#[test]
fn colours_of_errors_run_through_their_scale() {
    assert_eq!(error_colour(0.0).map(crate::export::level_8bit), ERROR_COLOURS[0], "none");
    assert_eq!(error_colour(7.0).map(crate::export::level_8bit), ERROR_COLOURS[5], "clamped");
    assert_eq!(error_colour(0.4).map(crate::export::level_8bit), ERROR_COLOURS[2], "a place of the list");
    let light = |c: [f64; 3]| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2];
    let steps: Vec<f64> = (0..=50).map(|i| light(error_colour(f64::from(i) / 50.0))).collect();
    assert!(steps.windows(2).all(|w| w[1] > w[0]), "ever lighter");
}
