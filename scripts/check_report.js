// Opens a report (`thenar report`) in a headless Chromium and tries it: no error on its console, nothing fetched, the viewer
// draws the hands, columns sort, the wipe moves, curves tell their values, and what its own policy forbids does not run.
//
//     node scripts/check_report.js REPORT.html [--shots FOLDER]
//
// Prints one JSON object; ends with 1 when something is wrong, with 2 when the browser does not work. `CHROMIUM` names the
// browser, else `chromium`, `chromium-browser` or `google-chrome` is taken from the path. WebGL is drawn in software, so that
// machines without a GPU can do it. Only Node's own modules are needed.
"use strict";
const { spawn, spawnSync } = require("child_process");
const fs = require("fs");
const os = require("os");
const path = require("path");
const { pathToFileURL } = require("url");

function browser() {
    const names = process.env.CHROMIUM ? [process.env.CHROMIUM] : ["chromium", "chromium-browser", "google-chrome"];
    const found = names.find((name) => spawnSync(name, ["--version"], { stdio: "ignore" }).status === 0);
    if (!found) throw new Error(`no browser: ${names.join(", ")}`);
    return found;
}

/** A browser that is spoken to through a pipe (the DevTools protocol, messages end with a zero byte). */
class Browser {
    constructor(profile) {
        const flags = [
            "--headless", "--no-sandbox", "--disable-dev-shm-usage", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
            "--hide-scrollbars", "--no-first-run", "--disable-extensions", "--disable-background-networking", "--remote-debugging-pipe",
            `--user-data-dir=${profile}`, "about:blank",
        ];
        this.process = spawn(browser(), flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] });
        this.next = 1;
        this.waiting = new Map();
        this.listeners = [];
        let text = Buffer.alloc(0);
        this.process.stdio[4].on("data", (data) => {
            text = Buffer.concat([text, data]);
            for (let end = text.indexOf(0); end >= 0; end = text.indexOf(0)) {
                this.receive(JSON.parse(text.subarray(0, end).toString()));
                text = text.subarray(end + 1);
            }
        });
    }

    receive(message) {
        if (message.id === undefined) {
            for (const listener of this.listeners) listener(message);
            return;
        }
        const { resolve, reject } = this.waiting.get(message.id);
        this.waiting.delete(message.id);
        if (message.error) reject(new Error(message.error.message));
        else resolve(message.result);
    }

    send(method, params = {}) {
        const id = this.next++;
        this.process.stdio[3].write(`${JSON.stringify({ id, method, params, sessionId: this.session })}\0`);
        return new Promise((resolve, reject) => this.waiting.set(id, { resolve, reject }));
    }

    async open(width, height) {
        const { targetInfos } = await this.send("Target.getTargets");
        const { targetId } = targetInfos.find((t) => t.type === "page");
        this.session = (await this.send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
        for (const domain of ["Page", "Runtime", "Log", "Network"]) await this.send(`${domain}.enable`);
        await this.size(width, height);
    }

    size(width, height) {
        return this.send("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
    }

    async evaluate(expression) {
        const { result, exceptionDetails } = await this.send("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
        if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
        return result.value;
    }

    async until(expression, what) {
        for (let tries = 0; tries < 300; tries++) {
            if (await this.evaluate(expression)) return;
            await new Promise((resolve) => setTimeout(resolve, 100));
        }
        throw new Error(`never happened: ${what}`);
    }

    async key(key) {
        await this.send("Input.dispatchKeyEvent", { type: "keyDown", key });
        await this.send("Input.dispatchKeyEvent", { type: "keyUp", key });
    }

    /** How many pixels of the viewer show something, and their mean colour. */
    async pixels() {
        // Two frames later everything that was asked for is drawn.
        return this.evaluate(`new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
            const canvas = document.querySelector("#viewer canvas");
            const copy = Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
            const context = copy.getContext("2d");
            context.drawImage(canvas, 0, 0);
            const data = context.getImageData(0, 0, copy.width, copy.height).data;
            let shown = 0, sum = [0, 0, 0];
            for (let i = 0; i < data.length; i += 4) if (data[i + 3] > 127) { shown++; for (let k = 0; k < 3; k++) sum[k] += data[i + k]; }
            done({ share: shown / (copy.width * copy.height), mean: sum.map((v) => v / Math.max(shown, 1)) });
        })))`);
    }

    async shot(file, clip) {
        if (!file) return;
        const { data } = await this.send("Page.captureScreenshot", { format: "png", captureBeyondViewport: true, ...(clip && { clip }) });
        fs.writeFileSync(file, Buffer.from(data, "base64"));
    }
}

async function check(browser, file, shots) {
    const report = { file, wrong: [], console: [], fetched: [] };
    const expect = (holds, words) => holds || report.wrong.push(words);
    browser.listeners.push(({ method, params }) => {
        if (method === "Runtime.exceptionThrown") report.console.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
        if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) report.console.push(params.args.map((a) => a.value ?? a.description).join(" "));
        if (method === "Log.entryAdded" && ["error", "warning"].includes(params.entry.level)) report.console.push(params.entry.text);
        if (method === "Network.requestWillBeSent" && !/^(data|blob):/.test(params.request.url)) report.fetched.push(params.request.url);
    });
    const url = pathToFileURL(path.resolve(file)).href;
    const shot = (name, clip) => browser.shot(shots && path.join(shots, name), clip);
    const load = async () => {
        await browser.send("Page.navigate", { url });
        await browser.until("document.readyState === 'complete'", "the page is loaded");
    };
    await browser.open(1200, 900);
    await load();
    const has = await browser.evaluate(`({ viewer: !!document.getElementById("viewer"), wipes: document.querySelectorAll(".wipe").length,
        charts: document.querySelectorAll(".chart").length, tables: document.querySelectorAll("table").length, errors: !!document.querySelector("[data-mode='3']") })`);
    report.has = has;

    if (has.viewer) {
        await browser.until("document.getElementById('viewer').dataset.drawn === 'yes'", "the viewer draws");
        await browser.until("[undefined, '0'].indexOf(document.getElementById('viewer').dataset.textured) < 0 || !atob(document.getElementById('glb').textContent).includes('image/jpeg')", "the textures are there");
        const first = await browser.pixels();
        report.viewer = first;
        expect(first.share > 0.05 && first.share < 0.9, `the hands fill ${(100 * first.share).toFixed(1)} % of the viewer`);
        expect(await browser.evaluate("document.querySelector('#viewer img').hidden"), "the picture gives way to the viewer");
        if (has.errors) expect(await browser.evaluate("document.getElementById('viewer-legend').getClientRects().length === 0"), "the legend of errors waits for them");
        const press = async (mode) => {
            await browser.evaluate(`document.querySelector("[data-mode='${mode}']").click()`);
            return browser.pixels();
        };
        const differs = (a, b) => a.mean.some((v, k) => Math.abs(v - b.mean[k]) > 2);
        const clay = await press(1);
        expect(differs(first, clay) && Math.max(...clay.mean) - Math.min(...clay.mean) < 3, `clay is grey: ${clay.mean}`);
        const normals = await press(2);
        expect(differs(clay, normals), "normals are another picture");
        if (has.errors) {
            expect(differs(await press(3), clay), "errors are another picture");
            expect(await browser.evaluate("document.getElementById('viewer-legend').getClientRects().length > 0"), "their legend is shown");
            await shot("error.png");
        }
        await press(0);
        await browser.evaluate("document.querySelector('#viewer canvas').focus()");
        for (let i = 0; i < 6; i++) await browser.key("ArrowRight");
        expect((await browser.pixels()).share !== first.share, "the arrow keys turn the hands");
        for (let i = 0; i < 5; i++) await browser.key("+");
        expect((await browser.pixels()).share > first.share * 1.2, "plus comes nearer");
        await browser.key("0");
        expect((await browser.pixels()).share === first.share, "0 begins again");
        const { x, y } = await browser.evaluate("(() => { const b = document.querySelector('#viewer canvas').getBoundingClientRect(); return { x: b.x + b.width / 2, y: b.y + b.height / 2 }; })()");
        const mouse = (type, dx) => browser.send("Input.dispatchMouseEvent", { type, x: x + dx, y, button: "left", buttons: 1, clickCount: 1 });
        await mouse("mousePressed", 0);
        await mouse("mouseMoved", 60);
        await mouse("mouseReleased", 60);
        expect((await browser.pixels()).share !== first.share, "dragging turns the hands");
        await browser.key("0");
        await browser.pixels();
    }

    if (has.tables) {
        const sorted = await browser.evaluate(`(() => {
            const table = document.querySelector("table.sortable"), heads = [...table.tHead.rows[0].cells];
            const column = heads.findIndex((h) => h.classList.contains("number"));
            const read = () => [...table.tBodies[0].rows].map((r) => r.cells[column].dataset.sort).filter((v) => v !== "").map(Number);
            const order = (l) => l.every((v, i) => i === 0 || l[i - 1] <= v);
            heads[column].querySelector("button").click();
            const up = order(read()), aria = heads[column].getAttribute("aria-sort");
            heads[column].querySelector("button").click();
            const down = order(read().reverse());
            heads[0].querySelector("button").click();
            return { up, down, aria };
        })()`);
        expect(sorted.up && sorted.down && sorted.aria === "ascending", `columns sort: ${JSON.stringify(sorted)}`);
    }
    if (has.wipes) {
        const moved = await browser.evaluate(`(() => {
            const figure = document.querySelector("figure.compare"), range = figure.querySelector("input");
            range.value = "20"; range.dispatchEvent(new Event("input"));
            const at = figure.querySelector(".wipe").style.getPropertyValue("--x");
            range.value = "50"; range.dispatchEvent(new Event("input"));
            return at;
        })()`);
        expect(moved === "20%", `the wipe moves: ${moved}`);
        expect(await browser.evaluate("[...document.images].every((i) => i.complete && i.naturalWidth > 0 && i.alt)"), "every picture is one and has a description");
    }
    if (has.charts) {
        const told = await browser.evaluate(`(() => {
            const chart = document.querySelector(".chart"), svg = chart.querySelector("svg"), box = svg.getBoundingClientRect();
            svg.dispatchEvent(new PointerEvent("pointermove", { clientX: box.x + box.width / 2, clientY: box.y + 20 }));
            const text = chart.querySelector(".tip").innerText;
            svg.dispatchEvent(new PointerEvent("pointerleave"));
            return text;
        })()`);
        expect(/total: [\d.]/.test(told), `a curve tells its values: ${told}`);
    }
    // The page must not scroll sideways, on a screen or on a telephone.
    for (const [width, name] of [[1200, "page"], [390, "narrow"]]) {
        await browser.size(width, 900);
        const wide = await browser.evaluate("document.documentElement.scrollWidth");
        expect(wide <= width, `${wide} px wide on ${width} px`);
        const height = await browser.evaluate("document.documentElement.scrollHeight");
        if (shots) {
            await browser.pixels().catch(() => 0);
            await shot(`${name}.png`, { x: 0, y: 0, width, height: Math.min(height, 9000), scale: 1 });
        }
    }
    if (shots) {
        await browser.size(1200, 900);
        await browser.send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: "dark" }] });
        const height = await browser.evaluate("document.documentElement.scrollHeight");
        await shot("dark.png", { x: 0, y: 0, width: 1200, height: Math.min(height, 9000), scale: 1 });
        await browser.send("Emulation.setEmulatedMedia", { features: [] });
        const { data } = await browser.send("Page.printToPDF", { printBackground: true, preferCSSPageSize: true });
        fs.writeFileSync(path.join(shots, "print.pdf"), Buffer.from(data, "base64"));
    }
    expect(report.console.length === 0, "the console is not empty");
    expect(report.fetched.every((u) => u === url), "something was fetched");
    // Without WebGL the picture is what one sees.
    await browser.send("Page.addScriptToEvaluateOnNewDocument", { source: "HTMLCanvasElement.prototype.getContext = () => null;" });
    await load();
    if (has.viewer) {
        expect(await browser.evaluate("!document.querySelector('#viewer img').hidden && document.querySelector('#viewer canvas').hidden"), "without WebGL there is a picture");
    }
    // A script that the page was not made with does not run. (Last, as that is an error on its console.)
    await browser.evaluate("document.body.append(Object.assign(document.createElement('script'), { textContent: 'window.strange = 1' }))");
    expect(await browser.evaluate("window.strange === undefined"), "a strange script does not run");
    return report;
}

async function main(args) {
    const shots = args.includes("--shots") ? args[args.indexOf("--shots") + 1] : null;
    const file = args.find((a) => a.endsWith(".html"));
    if (!file) throw new Error("name the report");
    if (shots) fs.mkdirSync(shots, { recursive: true });
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), "thenar-browser-"));
    const browser = new Browser(profile);
    const timer = setTimeout(() => browser.process.kill("SIGKILL"), 240000);
    try {
        const ended = new Promise((_, reject) => browser.process.on("exit", () => reject(new Error("the browser has ended"))));
        const report = await Promise.race([check(browser, file, shots), ended]);
        console.log(JSON.stringify(report));
        process.exitCode = report.wrong.length > 0 ? 1 : 0;
    } finally {
        clearTimeout(timer);
        browser.process.removeAllListeners("exit");
        browser.process.kill("SIGKILL");
        await new Promise((resolve) => (browser.process.exitCode !== null || browser.process.signalCode ? resolve() : browser.process.once("exit", resolve)));
        fs.rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    }
}

main(process.argv.slice(2)).catch((e) => {
    console.error(String(e));
    process.exitCode = 2;
});
