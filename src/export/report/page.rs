//! The page's parts in order.

use super::{ERROR_COLOURS, ErrorMap, Model, Picture, Report, Wipe, base64, data_uri, escaped, policy_hash};
use crate::export::{ExportError, Provenance};
use std::fmt::Write as _;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");
const VIEWER: &str = include_str!("viewer.js");

pub(super) fn html(report: &Report) -> Result<String, ExportError> {
    let mut sections: Vec<(&str, &str, String)> = Vec::new();
    if let Some(model) = &report.model {
        sections.push(("hands", "The hands", model_html(model)?));
    }
    if let Some(errors) = &report.errors {
        sections.push(("surface", "Against the true surface", errors_html(errors)?));
    }
    if let Some(views) = &report.views {
        let hint = "<p class=\"hint\">A click on a column's head sorts. Rows of held-out views, which no stage has seen, are coloured.</p>\n";
        sections.push(("views", "Views", format!("{hint}{}", views.html())));
    }
    if !report.comparisons.is_empty() {
        let figures = report.comparisons.iter().map(wipe_html).collect::<Result<String, _>>()?;
        sections.push(("comparison", "Photographs and renders", format!("<div class=\"grid\">{figures}</div>\n")));
    }
    if !report.charts.is_empty() {
        let charts: String = report.charts.iter().enumerate().map(|(i, c)| c.html(i)).collect();
        let hint = "<p class=\"hint\">Weighted terms on a logarithmic axis; zero is not shown. A click on a name hides its curve.</p>\n";
        sections.push(("curves", "Loss curves", format!("{hint}<div class=\"grid\">{charts}</div>\n")));
    }
    if let Some(meshes) = &report.meshes {
        sections.push(("meshes", "How sound the meshes are", meshes.html()));
    }
    sections.push(("settings", "Settings", settings_html(report)));
    let scripts = if report.model.is_some() { vec![SCRIPT, VIEWER] } else { vec![SCRIPT] };
    let hashes: Vec<String> = scripts.iter().map(|s| policy_hash(s)).collect();
    let title = escaped(&report.title);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src {}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"generator\" content=\"{}\">\n\
         <title>{title} – thenar report</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the results</a>\n<header class=\"page\">\n<h1>{title}</h1>\n\
         <p class=\"soft\">Hands reconstructed from calibrated photographs</p>\n<nav aria-label=\"Sections\"><ul>",
        hashes.join(" "),
        Provenance::GENERATOR,
    );
    for (id, name, _) in &sections {
        let _ = write!(out, "<li><a href=\"#{id}\">{name}</a></li>");
    }
    out += "</ul></nav>\n</header>\n<main id=\"main\">\n";
    if !report.figures.is_empty() {
        out += "<dl class=\"tiles\">\n";
        for f in &report.figures {
            let (name, value, note) = (escaped(&f.name), escaped(&f.value), escaped(&f.note));
            let _ = writeln!(
                out,
                "<div class=\"tile\"><dt>{name}</dt><dd class=\"value\">{value}</dd><dd class=\"note\">{note}</dd></div>"
            );
        }
        out += "</dl>\n";
    }
    for (id, name, body) in &sections {
        let _ = write!(out, "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{name}</h2>\n{body}</section>\n");
    }
    let _ = write!(
        out,
        "</main>\n<footer class=\"page\">Written by {}. One file, no network needed.</footer>\n",
        Provenance::GENERATOR
    );
    for script in scripts {
        let _ = writeln!(out, "<script>{script}</script>");
    }
    Ok(out + "</body>\n</html>\n")
}

fn img(picture: &Picture, more: &str) -> Result<String, ExportError> {
    let (width, height) = picture.image.dimensions();
    let (uri, alt) = (data_uri(&picture.image)?, escaped(&picture.alt));
    Ok(format!("<img{more} width=\"{width}\" height=\"{height}\" alt=\"{alt}\" src=\"{uri}\">"))
}

fn legend(id: &str, most_mm: f64, hidden: bool) -> String {
    let stops: Vec<String> = ERROR_COLOURS.iter().map(|[r, g, b]| format!("rgb({r},{g},{b})")).collect();
    let hidden = if hidden { " hidden" } else { "" };
    format!(
        "<div class=\"legend\"{id}{hidden}><span>0 mm</span><span class=\"scale\" style=\"background:linear-gradient(to right,{})\"></span>\
         <span>{most_mm} mm and more; grey: not measured</span></div>\n",
        stops.join(",")
    )
}

fn model_html(model: &Model) -> Result<String, ExportError> {
    let scale: Vec<String> =
        ERROR_COLOURS.as_flattened().iter().map(|v| format!("{:.4}", f64::from(*v) / 255.0)).collect();
    let mut modes = vec![(0, "Textured"), (1, "Clay"), (2, "Normals")];
    if model.most_mm.is_some() {
        modes.push((3, "Error"));
    }
    let buttons: String = modes
        .iter()
        .map(|(mode, name)| {
            format!("<button type=\"button\" data-mode=\"{mode}\" aria-pressed=\"{}\">{name}</button>", *mode == 0)
        })
        .collect();
    Ok(format!(
        "<div class=\"card\">\n<div class=\"bar\" role=\"group\" aria-label=\"What the surface shows\">{buttons}\
         <button type=\"button\" id=\"save-glb\" data-name=\"{}\">Save GLB</button></div>\n\
         <div id=\"viewer\" data-scale=\"{}\" data-most=\"{}\">{}<canvas tabindex=\"0\" role=\"img\" \
         aria-label=\"{}\" aria-describedby=\"viewer-hint\"></canvas></div>\n{}\
         <p class=\"hint\" id=\"viewer-hint\">Drag to turn, Shift and drag to move, wheel to zoom (after a click). Keys: arrows, + and −, 0 to begin again.</p>\n\
         <p class=\"hint\">{}</p>\n<script type=\"text/plain\" id=\"glb\">{}</script>\n</div>\n",
        escaped(&model.file_name),
        scale.join(","),
        model.most_mm.unwrap_or(0.0),
        img(&model.picture, "")?,
        escaped(&model.picture.alt),
        model.most_mm.map_or_else(String::new, |most| legend(" id=\"viewer-legend\"", most, true)),
        escaped(&model.note),
        base64(&model.glb),
    ))
}

fn errors_html(errors: &ErrorMap) -> Result<String, ExportError> {
    let pictures = errors.pictures.iter().map(|p| img(p, "")).collect::<Result<String, _>>()?;
    Ok(format!(
        "<div class=\"card\"><div class=\"maps\">{pictures}</div>\n{}</div>\n{}",
        legend("", errors.most_mm, false),
        errors.numbers.html()
    ))
}

fn wipe_html(wipe: &Wipe) -> Result<String, ExportError> {
    let (title, note) = (escaped(&wipe.title), escaped(&wipe.note));
    let mut renders = String::new();
    let mut choices = String::new();
    for (i, (name, picture)) in wipe.renders.iter().enumerate() {
        let name = escaped(name);
        renders +=
            &img(picture, &format!(" class=\"over\" data-shows=\"{name}\"{}", if i == 0 { "" } else { " hidden" }))?;
        choices +=
            &format!("<button type=\"button\" data-shows=\"{name}\" aria-pressed=\"{}\">{name}</button>", i == 0);
    }
    let choices = if wipe.renders.len() > 1 { choices } else { String::new() };
    Ok(format!(
        "<figure class=\"compare\"><h3>{title}</h3>\n<div class=\"wipe\">{}{renders}<span class=\"edge\"></span></div>\n\
         <div class=\"wiper\"><span>photograph</span><input type=\"range\" min=\"0\" max=\"100\" value=\"50\" step=\"1\" \
         aria-label=\"Wipe between photograph and render, {title}\"><span>render</span>{choices}</div>\n\
         <figcaption>{note}</figcaption></figure>\n",
        img(&wipe.photograph, "")?,
    ))
}

fn settings_html(report: &Report) -> String {
    let mut out = "<dl class=\"facts\">\n".to_owned();
    for (name, value) in &report.facts {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(value));
    }
    out += "</dl>\n";
    for (name, text) in [("Every setting", &report.settings), ("Log", &report.log)] {
        if !text.is_empty() {
            let _ = write!(
                out,
                "<details><summary>{name}</summary>\n<pre tabindex=\"0\">{}</pre></details>\n",
                escaped(text)
            );
        }
    }
    out
}
