// What moves on the page: sorted columns, the wipe between photograph and render, and the values under the pointer in the
// loss curves. The page is readable without any of it.
"use strict";
(() => {
    for (const table of document.querySelectorAll("table.sortable")) {
        const heads = [...table.tHead.rows[0].cells];
        heads.forEach((head, column) => {
            const button = head.querySelector("button");
            if (!button) return;
            button.addEventListener("click", () => {
                const ascending = head.getAttribute("aria-sort") !== "ascending";
                for (const other of heads) other.removeAttribute("aria-sort");
                head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
                const numbers = head.classList.contains("number");
                const key = (row) => {
                    const raw = row.cells[column].dataset.sort ?? row.cells[column].textContent;
                    return numbers ? (raw === "" ? NaN : Number(raw)) : raw;
                };
                const body = table.tBodies[0];
                const sorted = [...body.rows].map((row) => [key(row), row]).sort(([a], [b]) => {
                    // What has no number stays at the end, whichever way.
                    if (numbers) {
                        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
                        return ascending ? a - b : b - a;
                    }
                    return (ascending ? 1 : -1) * a.localeCompare(b, undefined, { numeric: true });
                });
                body.append(...sorted.map(([, row]) => row));
            });
        });
    }

    for (const figure of document.querySelectorAll("figure.compare")) {
        const wipe = figure.querySelector(".wipe");
        const range = figure.querySelector("input[type=range]");
        const to = (percent) => {
            wipe.style.setProperty("--x", `${percent}%`);
            range.value = String(percent);
        };
        range.addEventListener("input", () => to(Number(range.value)));
        const follow = (event) => {
            const box = wipe.getBoundingClientRect();
            to(Math.min(100, Math.max(0, (100 * (event.clientX - box.left)) / box.width)));
        };
        wipe.addEventListener("pointerdown", (event) => {
            wipe.setPointerCapture(event.pointerId);
            follow(event);
        });
        wipe.addEventListener("pointermove", (event) => {
            if (event.buttons & 1) follow(event);
        });
        const choices = [...figure.querySelectorAll("button[data-shows]")];
        for (const choice of choices) {
            choice.addEventListener("click", () => {
                for (const other of choices) other.setAttribute("aria-pressed", String(other === choice));
                for (const image of wipe.querySelectorAll(".over")) image.hidden = image.dataset.shows !== choice.dataset.shows;
            });
        }
    }

    for (const chart of document.querySelectorAll(".chart")) {
        const svg = chart.querySelector("svg");
        const tip = chart.querySelector(".tip");
        const cross = svg.querySelector(".cross");
        const data = JSON.parse(chart.querySelector("script").textContent);
        const hidden = new Set();
        for (const key of chart.querySelectorAll(".keys button")) {
            const index = Number(key.dataset.series);
            key.addEventListener("click", () => {
                const on = key.getAttribute("aria-pressed") !== "true";
                key.setAttribute("aria-pressed", String(on));
                if (on) hidden.delete(index);
                else hidden.add(index);
                svg.querySelector(`[data-series="${index}"]`).style.display = on ? "" : "none";
            });
        }
        const number = (v) => (v === null || v === undefined ? "–" : v !== 0 && (Math.abs(v) < 1e-3 || Math.abs(v) >= 1e5) ? v.toExponential(2) : Number(v.toPrecision(4)).toString());
        const show = (at) => {
            const row = data.x[at];
            const x = data.left + ((row - data.from) / Math.max(data.to - data.from, 1e-9)) * data.width;
            cross.setAttribute("x1", x);
            cross.setAttribute("x2", x);
            cross.style.visibility = "visible";
            tip.replaceChildren();
            const line = (text) => tip.append(Object.assign(document.createElement("div"), { textContent: text }));
            line(`${data.label} ${row}`);
            data.series.forEach((series, i) => hidden.has(i) || line(`${series.name}: ${number(series.y[at])}`));
            const box = svg.getBoundingClientRect();
            const left = (x / data.viewWidth) * box.width;
            tip.style.display = "block";
            const right = left > box.width / 2;
            tip.style.left = right ? "auto" : `${left + 10}px`;
            tip.style.right = right ? `${box.width - left + 10}px` : "auto";
            tip.style.top = "12px";
        };
        const hide = () => {
            tip.style.display = "none";
            cross.style.visibility = "hidden";
        };
        let at = 0;
        svg.addEventListener("pointermove", (event) => {
            const box = svg.getBoundingClientRect();
            const x = ((event.clientX - box.left) / box.width) * data.viewWidth;
            const wanted = data.from + ((x - data.left) / data.width) * (data.to - data.from);
            at = data.x.reduce((best, v, i) => (Math.abs(v - wanted) < Math.abs(data.x[best] - wanted) ? i : best), 0);
            show(at);
        });
        svg.addEventListener("pointerleave", hide);
        svg.addEventListener("blur", hide);
        svg.addEventListener("keydown", (event) => {
            const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 }[event.key];
            if (step === undefined) return;
            event.preventDefault();
            at = Math.min(data.x.length - 1, Math.max(0, at + step));
            show(at);
        });
    }
})();
