// A small viewer for the GLB in this page: WebGL 2, no library. It reads what our own writer makes: one buffer, float
// attributes, 32-bit indices, one embedded base colour image a mesh. Nothing is drawn unless something has changed.
// Without WebGL the picture that lies under the canvas stays.
"use strict";
(() => {
    const host = document.getElementById("viewer");
    if (!host) return;
    const canvas = host.querySelector("canvas");
    const picture = host.querySelector("img");
    const bytes = Uint8Array.from(atob(document.getElementById("glb").textContent.trim()), (c) => c.charCodeAt(0));
    const save = document.getElementById("save-glb");
    save.addEventListener("click", () => {
        const url = URL.createObjectURL(new Blob([bytes], { type: "model/gltf-binary" }));
        Object.assign(document.createElement("a"), { href: url, download: save.dataset.name }).click();
        setTimeout(() => URL.revokeObjectURL(url), 10000);
    });
    const modes = [...document.querySelectorAll("button[data-mode]")];
    const gl = canvas.getContext("webgl2", { antialias: true, alpha: true, preserveDrawingBuffer: true });
    if (!gl) {
        canvas.hidden = true;
        for (const button of modes) button.disabled = true;
        document.getElementById("viewer-hint").textContent = "This browser has no WebGL 2: a picture instead.";
        return;
    }

    function read(glb) {
        const view = new DataView(glb.buffer);
        const jsonLength = view.getUint32(12, true);
        const json = JSON.parse(new TextDecoder().decode(glb.subarray(20, 20 + jsonLength)));
        const start = 20 + jsonLength + 8;
        const slice = (index) => {
            const { byteOffset = 0, byteLength } = json.bufferViews[index];
            return glb.subarray(start + byteOffset, start + byteOffset + byteLength);
        };
        const typed = (index) => {
            const accessor = json.accessors[index];
            const raw = slice(accessor.bufferView);
            // A copy: the chunk need not lie on a multiple of four.
            const own = raw.slice().buffer;
            return accessor.componentType === 5125 ? new Uint32Array(own) : new Float32Array(own);
        };
        return json.meshes.map(({ name, primitives: [primitive] }) => {
            const { attributes, indices, material } = primitive;
            const at = (semantic) => (semantic in attributes ? typed(attributes[semantic]) : null);
            const texture = json.materials[material].pbrMetallicRoughness.baseColorTexture;
            const image = texture && json.images[json.textures[texture.index].source];
            return {
                name, indices: typed(indices), bounds: json.accessors[attributes.POSITION],
                positions: at("POSITION"), normals: at("NORMAL"), uvs: at("TEXCOORD_0"), colours: at("COLOR_0"), errors: at("_ERROR_MM"),
                image: image && new Blob([slice(image.bufferView)], { type: image.mimeType }),
            };
        });
    }

    const vertexSource = `#version 300 es
        layout(location = 0) in vec3 position; layout(location = 1) in vec3 normal; layout(location = 2) in vec2 uv;
        layout(location = 3) in vec3 colour; layout(location = 4) in float error;
        uniform mat4 clip; uniform mat3 view; out vec3 n; out vec2 t; out vec3 c; out float e;
        void main() { gl_Position = clip * vec4(position, 1.0); n = view * normal; t = uv; c = colour; e = error; }`;
    const fragmentSource = `#version 300 es
        precision highp float; in vec3 n; in vec2 t; in vec3 c; in float e; out vec4 outColour;
        uniform sampler2D albedo; uniform bool textured; uniform int mode; uniform float most; uniform vec3 scale[6];
        void main() {
            vec3 m = normalize(gl_FrontFacing ? n : -n);
            vec3 base = textured ? texture(albedo, t).rgb : c;
            float key = max(dot(m, normalize(vec3(-0.55, 0.6, 0.6))), 0.0), fill = max(dot(m, normalize(vec3(0.7, 0.1, 0.5))), 0.0);
            float light = 0.3 + 0.14 * m.y + 0.95 * key + 0.28 * fill;
            if (mode == 1) base = vec3(0.62);
            if (mode == 3) {
                float s = clamp(e / most, 0.0, 1.0) * 5.0; int i = int(min(s, 4.0));
                base = e < 0.0 ? vec3(0.35) : mix(scale[i], scale[i + 1], s - float(i));
                light = 0.75 + 0.25 * m.z;
            }
            vec3 linear = base * light;
            if (mode == 1 || mode == 0) { vec3 h = normalize(normalize(vec3(-0.55, 0.6, 0.6)) + vec3(0.0, 0.0, 1.0)); linear += 0.03 * pow(max(dot(m, h), 0.0), 24.0); }
            vec3 shown = mix(12.92 * linear, 1.055 * pow(max(linear, 0.0), vec3(1.0 / 2.4)) - 0.055, step(0.0031308, linear));
            if (mode == 2) shown = m * 0.5 + 0.5;
            outColour = vec4(min(shown, 1.0), 1.0);
        }`;
    const program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, vertexSource], [gl.FRAGMENT_SHADER, fragmentSource]]) {
        const shader = gl.createShader(kind);
        gl.shaderSource(shader, source);
        gl.compileShader(shader);
        gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS)) {
        console.error(gl.getProgramInfoLog(program));
        canvas.hidden = true;
        return;
    }
    const place = (name) => gl.getUniformLocation(program, name);

    const meshes = read(bytes);
    const low = [Infinity, Infinity, Infinity], high = low.map((v) => -v);
    for (const mesh of meshes) {
        mesh.array = gl.createVertexArray();
        gl.bindVertexArray(mesh.array);
        const attribute = (location, data, size, missing) => {
            if (!data) return gl.vertexAttrib4f(location, ...missing);
            gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
            gl.bufferData(gl.ARRAY_BUFFER, data, gl.STATIC_DRAW);
            gl.enableVertexAttribArray(location);
            gl.vertexAttribPointer(location, size, gl.FLOAT, false, 0, 0);
        };
        attribute(0, mesh.positions, 3, [0, 0, 0, 1]);
        attribute(1, mesh.normals, 3, [0, 0, 1, 0]);
        attribute(2, mesh.uvs, 2, [0, 0, 0, 0]);
        attribute(3, mesh.colours, 3, [0.6, 0.5, 0.45, 1]);
        attribute(4, mesh.errors, 1, [-1, 0, 0, 0]);
        gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
        gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, mesh.indices, gl.STATIC_DRAW);
        for (let k = 0; k < 3; k++) {
            low[k] = Math.min(low[k], mesh.bounds.min[k]);
            high[k] = Math.max(high[k], mesh.bounds.max[k]);
        }
    }
    gl.bindVertexArray(null);
    const centre = low.map((v, k) => 0.5 * (v + high[k]));
    const radius = 0.5 * Math.hypot(...low.map((v, k) => high[k] - v)) || 1;

    const half = Math.tan((15 * Math.PI) / 180);
    const start = { yaw: 0, pitch: 0.1, distance: 0.9, x: 0, y: 0 };
    // Rows: right, up, towards the eye.
    const axesOf = ({ yaw, pitch }) => {
        const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
        return [[cy, 0, -sy], [-sy * sp, cp, -cy * sp], [sy * cp, sp, cy * cp]];
    };
    const aspect = canvas.clientWidth / Math.max(canvas.clientHeight, 1) || 1;
    {
        // To begin with all of the hands is seen, as large as that allows.
        const axes = axesOf(start);
        let distance = 0;
        for (const { positions } of meshes) {
            for (let i = 0; i < positions.length; i += 3) {
                const [x, y, z] = axes.map((axis) => axis.reduce((sum, v, k) => sum + v * (positions[i + k] - centre[k]), 0));
                distance = Math.max(distance, z + Math.max(Math.abs(x) / (half * aspect), Math.abs(y) / half));
            }
        }
        start.distance = (1.06 * distance * half * Math.min(1, aspect)) / radius;
    }
    let eye = { ...start };
    let mode = 0, waiting = false;
    const scale = host.dataset.scale.split(",").map(Number);
    // The scale's colours are encoded, the shader computes in linear light.
    const linear = scale.map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));

    function draw() {
        waiting = false;
        const ratio = Math.min(window.devicePixelRatio || 1, 2);
        const [width, height] = [canvas.clientWidth, canvas.clientHeight].map((v) => Math.max(1, Math.round(v * ratio)));
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        gl.viewport(0, 0, width, height);
        gl.clearColor(0, 0, 0, 0);
        gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
        gl.enable(gl.DEPTH_TEST);
        const axes = axesOf(eye);
        const aspect = width / height;
        const distance = (eye.distance * radius) / (half * Math.min(1, aspect));
        const [near, far] = [Math.max(distance - 3 * radius, 0.01 * radius), distance + 3 * radius];
        const offset = axes.map((axis, k) => -axis.reduce((sum, v, i) => sum + v * centre[i], 0) + [eye.x * radius, eye.y * radius, -distance][k]);
        const f = 1 / half, a = -(far + near) / (far - near), b = (-2 * far * near) / (far - near);
        const row = (k, s) => [...axes[k].map((v) => v * s), offset[k] * s];
        const rows = [row(0, f / aspect), row(1, f), row(2, a), row(2, -1)];
        rows[2][3] += b;
        gl.useProgram(program);
        gl.uniformMatrix4fv(place("clip"), false, [0, 1, 2, 3].flatMap((c) => rows.map((r) => r[c])));
        gl.uniformMatrix3fv(place("view"), false, [0, 1, 2].flatMap((c) => axes.map((r) => r[c])));
        gl.uniform1i(place("mode"), mode);
        gl.uniform1f(place("most"), Number(host.dataset.most) || 1);
        gl.uniform3fv(place("scale"), linear);
        for (const mesh of meshes) {
            gl.uniform1i(place("textured"), mesh.texture ? 1 : 0);
            if (mesh.texture) gl.bindTexture(gl.TEXTURE_2D, mesh.texture);
            gl.bindVertexArray(mesh.array);
            gl.drawElements(gl.TRIANGLES, mesh.indices.length, gl.UNSIGNED_INT, 0);
        }
        gl.bindVertexArray(null);
        picture.hidden = true;
        host.dataset.drawn = "yes";
    }
    const redraw = () => {
        if (!waiting) {
            waiting = true;
            requestAnimationFrame(draw);
        }
    };

    for (const mesh of meshes) {
        if (!mesh.image || !mesh.uvs) continue;
        createImageBitmap(mesh.image, { colorSpaceConversion: "none" }).then((image) => {
            mesh.texture = gl.createTexture();
            gl.bindTexture(gl.TEXTURE_2D, mesh.texture);
            gl.texImage2D(gl.TEXTURE_2D, 0, gl.SRGB8_ALPHA8, gl.RGBA, gl.UNSIGNED_BYTE, image);
            gl.generateMipmap(gl.TEXTURE_2D);
            gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.LINEAR_MIPMAP_LINEAR);
            gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE);
            gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE);
            host.dataset.textured = String(meshes.filter((m) => m.texture).length);
            redraw();
        }, (e) => console.error(`the texture of ${mesh.name}: ${e}`));
    }

    const legend = document.getElementById("viewer-legend");
    for (const button of modes) {
        button.addEventListener("click", () => {
            mode = Number(button.dataset.mode);
            for (const other of modes) other.setAttribute("aria-pressed", String(other === button));
            if (legend) legend.hidden = mode !== 3;
            redraw();
        });
    }
    const turn = (dx, dy) => {
        eye.yaw -= dx;
        eye.pitch = Math.min(1.55, Math.max(-1.55, eye.pitch + dy));
    };
    const zoom = (by) => (eye.distance = Math.min(6, Math.max(0.08, eye.distance * by)));
    const fingers = new Map();
    const spread = () => {
        const [a, b] = [...fingers.values()];
        return Math.hypot(a.x - b.x, a.y - b.y);
    };
    canvas.addEventListener("pointerdown", (event) => {
        canvas.setPointerCapture(event.pointerId);
        canvas.focus();
        fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    });
    canvas.addEventListener("pointermove", (event) => {
        const before = fingers.get(event.pointerId);
        if (!before) return;
        const [dx, dy] = [event.clientX - before.x, event.clientY - before.y];
        const apart = fingers.size === 2 ? spread() : 0;
        fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
        if (apart) zoom(apart / Math.max(spread(), 1));
        else if (event.shiftKey || event.buttons & 6) {
            eye.x += (2 * eye.distance * dx) / canvas.clientHeight;
            eye.y -= (2 * eye.distance * dy) / canvas.clientHeight;
        } else turn(dx * 0.008, dy * 0.008);
        redraw();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, (event) => fingers.delete(event.pointerId));
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("wheel", (event) => {
        // The page scrolls over the hands unless they are being looked at.
        if (document.activeElement !== canvas) return;
        event.preventDefault();
        zoom(Math.exp(event.deltaY * 0.0012));
        redraw();
    }, { passive: false });
    canvas.addEventListener("dblclick", () => {
        eye = { ...start };
        redraw();
    });
    canvas.addEventListener("keydown", (event) => {
        const move = event.shiftKey ? (x, y) => { eye.x += x * 0.05; eye.y += y * 0.05; } : (x, y) => turn(-x * 0.12, y * 0.12);
        const keys = {
            ArrowLeft: () => move(-1, 0), ArrowRight: () => move(1, 0), ArrowUp: () => move(0, 1), ArrowDown: () => move(0, -1),
            "+": () => zoom(0.9), "=": () => zoom(0.9), "-": () => zoom(1 / 0.9), 0: () => (eye = { ...start }), Home: () => (eye = { ...start }),
        };
        if (!keys[event.key] || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        keys[event.key]();
        redraw();
    });
    new ResizeObserver(redraw).observe(canvas);
    redraw();
})();
