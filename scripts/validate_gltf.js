// Validates glTF files with the Khronos validator (npm package gltf-validator).
//
//     node scripts/validate_gltf.js FILE.glb… REPORT.html…
//
// Prints one JSON object a file; ends with 1 when any has an error or a warning. The package is looked for where
// GLTF_VALIDATOR points (a folder with node_modules in it), else as node finds it.
"use strict";
const fs = require("fs");
const path = require("path");

function load() {
    const folder = process.env.GLTF_VALIDATOR;
    return require(folder ? path.join(folder, "node_modules", "gltf-validator") : "gltf-validator");
}

async function main(files) {
    if (files.length === 0) {
        throw new Error("name the files to validate");
    }
    const validator = load();
    let bad = 0;
    for (const file of files) {
        let bytes = fs.readFileSync(file);
        if (file.endsWith(".html")) bytes = Buffer.from(bytes.toString().split('id="glb">')[1].split("<")[0], "base64");
        const report = await validator.validateBytes(new Uint8Array(bytes), {
            uri: path.basename(file),
            maxIssues: 20,
        });
        const { numErrors, numWarnings, numInfos, numHints, messages } = report.issues;
        bad += numErrors + numWarnings;
        const said = messages.map((m) => `${m.severity} ${m.code} ${m.pointer || ""} ${m.message}`);
        console.log(JSON.stringify({ file, numErrors, numWarnings, numInfos, numHints, said }));
    }
    process.exitCode = bad > 0 ? 1 : 0;
}

main(process.argv.slice(2)).catch((e) => {
    console.error(String(e));
    process.exitCode = 2;
});
