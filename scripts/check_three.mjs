// Poses our GLB files with three.js (npm package three) and measures how far its vertices are from ours.
//
//     node scripts/check_three.mjs rig hands_rigged.glb hands.glb          both of one `export --format glb,rig`
//     node scripts/check_three.mjs clip hands.glb FOLDER [FPS]             of `repose --format glb,ply`: FOLDER has hand_SIDE_0000.ply …
//
// Prints one JSON object a hand: vertices, and the largest and mean distance in millimetres. The package is looked for where
// THREE points (a folder with node_modules in it; else GLTF_VALIDATOR), else as Node finds it.
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const folder = process.env.THREE ?? process.env.GLTF_VALIDATOR;
const require = createRequire(folder ? path.join(path.resolve(folder), "package.json") : import.meta.url);
// The loader imports the module build: the same one for us, as there are two.
const build = path.join(path.dirname(require.resolve("three")), "three.module.js");
const THREE = await import(pathToFileURL(build).href);
const { GLTFLoader } = await import(pathToFileURL(require.resolve("three/examples/jsm/loaders/GLTFLoader.js")).href);

/** A scene as three.js reads it. Textures are left out: Node has no pictures, and they move no vertex. */
async function load(file) {
    const glb = fs.readFileSync(file);
    const length = glb.readUInt32LE(12);
    const json = JSON.parse(glb.subarray(20, 20 + length).toString());
    for (const name of ["materials", "textures", "images", "samplers"]) delete json[name];
    for (const mesh of json.meshes) for (const primitive of mesh.primitives) delete primitive.material;
    let text = Buffer.from(JSON.stringify(json));
    text = Buffer.concat([text, Buffer.alloc((4 - (text.length % 4)) % 4, 0x20)]);
    const rest = glb.subarray(20 + length);
    const head = Buffer.alloc(20);
    glb.copy(head, 0, 0, 20);
    head.writeUInt32LE(20 + text.length + rest.length, 8);
    head.writeUInt32LE(text.length, 12);
    const whole = Uint8Array.from(Buffer.concat([head, text, rest])).buffer;
    return new Promise((resolve, reject) => new GLTFLoader().parse(whole, "", resolve, reject));
}

/** Meshes by their names. */
function meshes(scene) {
    const found = new Map();
    scene.traverse((node) => node.isMesh && found.set((node.name.match(/hand_(left|right)/) ?? node.parent.name.match(/hand_(left|right)/))[0], node));
    return found;
}

/** Vertices where three.js puts them: morph targets, then bones, then the mesh's own node. */
function posed(mesh) {
    const out = [];
    for (let i = 0; i < mesh.geometry.attributes.position.count; i++) {
        const v = mesh.getVertexPosition(i, new THREE.Vector3());
        out.push(v.applyMatrix4(mesh.matrixWorld));
    }
    return out;
}

/** Positions of one of our PLY files (binary, doubles first). */
function ply(file) {
    const bytes = fs.readFileSync(file);
    const end = bytes.indexOf("end_header\n") + 11;
    const lines = bytes.subarray(0, end).toString().split("\n");
    const count = Number(lines.find((l) => l.startsWith("element vertex")).split(" ")[2]);
    const size = { double: 8, float: 4, uchar: 1 };
    let vertex = false, stride = 0, first = null;
    for (const line of lines) {
        if (line.startsWith("element")) vertex = line.startsWith("element vertex");
        const [word, type, name] = line.split(" ");
        if (vertex && word === "property") {
            if (name === "x") first = [stride, type];
            stride += size[type];
        }
    }
    const read = (at) => (first[1] === "double" ? bytes.readDoubleLE(at) : bytes.readFloatLE(at));
    const at = (i, k) => read(end + i * stride + first[0] + k * size[first[1]]);
    return Array.from({ length: count }, (_, i) => new THREE.Vector3(at(i, 0), at(i, 1), at(i, 2)));
}

function distances(ours, theirs) {
    const all = ours.map((v, i) => v.distanceTo(theirs[i]) * 1e3);
    return { most: all.reduce((a, b) => Math.max(a, b), 0), mean: all.reduce((a, b) => a + b, 0) / all.length };
}

const say = (hand, count, { most, mean }, more) =>
    console.log(JSON.stringify({ hand, three: THREE.REVISION, vertices: count, most_mm: most, mean_mm: mean, ...more }));

async function rig([rigged, plain]) {
    const [a, b] = [await load(rigged), await load(plain)];
    for (const { scene } of [a, b]) scene.updateMatrixWorld(true);
    const still = meshes(b.scene);
    const own = meshes(a.scene);
    if (own.size === 0 || own.size !== still.size) throw new Error(`${own.size} hands and ${still.size}`);
    for (const [name, mesh] of own) {
        if (!mesh.isSkinnedMesh) throw new Error(`${name} has no skin`);
        // Both files split the same corners, so that vertices have the same order.
        const truth = posed(still.get(name));
        const rest = mesh.geometry.attributes.position;
        const moved = distances(Array.from({ length: rest.count }, (_, i) => new THREE.Vector3().fromBufferAttribute(rest, i)), truth);
        say(name, truth.length, distances(truth, posed(mesh)), { rest_differs_mm: moved.most });
    }
}

async function clip([file, frames, fps = "30"]) {
    const { scene, animations } = await load(file);
    const mixer = new THREE.AnimationMixer(scene);
    for (const animation of animations) mixer.clipAction(animation).play();
    for (const [name, mesh] of meshes(scene)) {
        // The file has a vertex more along each seam: each of its vertices is one of ours at every key frame, which one is
        // told by the first.
        const names = fs.readdirSync(frames).filter((f) => f.startsWith(name) && f.endsWith(".ply")).sort();
        let from = null, most = 0, sum = 0, count = 0;
        for (const [i, frame] of names.entries()) {
            mixer.setTime(i / Number(fps));
            scene.updateMatrixWorld(true);
            const truth = ply(path.join(frames, frame));
            const theirs = posed(mesh);
            from ??= nearest(theirs, truth);
            const found = distances(theirs, from.map((j) => truth[j]));
            [most, sum, count] = [Math.max(most, found.most), sum + found.mean, count + 1];
        }
        say(name, from.length, { most, mean: sum / count }, { frames: count });
    }
}

/** For each vertex of a file the nearest of ours (a grid of 2 mm cells). */
function nearest(theirs, ours) {
    const cells = new Map();
    const cell = (v, dx = 0, dy = 0, dz = 0) => `${Math.floor(v.x * 500) + dx},${Math.floor(v.y * 500) + dy},${Math.floor(v.z * 500) + dz}`;
    ours.forEach((v, i) => cells.set(cell(v), [...(cells.get(cell(v)) ?? []), i]));
    return theirs.map((v) => {
        let best = 0, far = Infinity;
        for (let dx = -1; dx <= 1; dx++) for (let dy = -1; dy <= 1; dy++) for (let dz = -1; dz <= 1; dz++)
            for (const i of cells.get(cell(v, dx, dy, dz)) ?? []) if (ours[i].distanceTo(v) < far) [best, far] = [i, ours[i].distanceTo(v)];
        return best;
    });
}

const [what, ...rest] = process.argv.slice(2);
const task = { rig, clip }[what];
if (!task || rest.length < 2) {
    console.error("rig RIGGED.glb PLAIN.glb, or clip HANDS.glb FOLDER [FPS]");
    process.exit(2);
}
await task(rest);
