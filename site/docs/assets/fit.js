// The calculator of "Will it fit?". The page is complete without it: it recomputes rows and sentences for other
// questions, in the words of surveykit/fit/words.py and surveykit/site/fit_page.py; a test compares the two.
"use strict";
(() => {
  const STANDINGS = ["fits", "tight", "does not fit"];
  const BADGES = { fits: "match", tight: "partly", "does not fit": "unresolved" };
  const BAR = 1.5; // widest bar, in memories of the GPU

  const curve = (n, at, batch, length) =>
    n[at] + batch * (n[at + 1] + n[at + 2] * length + n[at + 3] * length * length);

  /** Bytes at a batch and a length; the order of the numbers is that of Scaling.numbers. */
  function memory(n, batch, length) {
    const [weights, , optimizer, floor] = n;
    const held = weights + optimizer;
    const backward = held + Math.max(0, curve(n, 4, batch, length)) + curve(n, 8, batch, length);
    const between = held + curve(n, 12, batch, length);
    const earlier = n.length > 16 ? memory(n.slice(16), batch, length).peak : 0;
    return { weights, optimizer, peak: Math.max(earlier, Math.round(Math.max(floor, backward, between))) };
  }

  function standing(peak, question) {
    if (peak * (1 + question.margin) <= question.memory) return "fits";
    return peak * (1 - question.margin) <= question.memory ? "tight" : "does not fit";
  }

  function largestBatch(numbers, question, limit) {
    let low = 0;
    let high = limit + 1;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (standing(memory(numbers, middle, question.length).peak, question) === "fits") low = middle;
      else high = middle;
    }
    return low;
  }

  /** Every method that is asked for, best first. */
  function rank(data, setting) {
    const question = { ...setting, memory: setting.memory * 1e9, margin: (data.errorPercent || 0) / 100 };
    const choices = [];
    for (const row of data.rows[setting.model]) {
      if (setting.merge && row.overhead[1] !== "none") continue;
      const parts = memory(row.memory[setting.dtype], setting.batch, setting.length);
      const batch = largestBatch(row.memory[setting.dtype], question, data.largestBatch);
      choices.push({ row, parts, batch, standing: standing(parts.peak, question) });
    }
    const score = (choice) => (choice.row.score === null ? -1 : choice.row.score);
    choices.sort(
      (a, b) =>
        STANDINGS.indexOf(a.standing) - STANDINGS.indexOf(b.standing) ||
        score(b) - score(a) ||
        a.parts.peak - b.parts.peak ||
        (a.row.configuration < b.row.configuration ? -1 : 1),
    );
    return { question, choices };
  }

  const gigabytes = (size, digits) => `${(size / 1e9).toFixed(digits)} GB`;
  const percent = (value) => value.toFixed(value >= 99.5 ? 0 : value >= 0.095 ? 2 : value >= 0.00095 ? 4 : 6);
  function stored(size) {
    for (const [unit, factor] of [["kB", 1e3], ["MB", 1e6]]) {
      if (size < 500 * factor) return `${(size / factor).toFixed(1)} ${unit}`;
    }
    return gigabytes(size, 1);
  }

  function described({ row, parts, batch, standing: word }, merge) {
    const left = row.overhead[merge ? 1 : 0];
    const merged = merge ? " once merged" : "";
    const at = batch && word !== "fits" ? `, and fits at batch ${batch}` : "";
    const overhead = left === "none" ? `no inference overhead${merged}` : `inference overhead${merged}: ${left}`;
    const other = row.scoreOf ? ` (run as ${row.scoreOf})` : "";
    const score = row.score === null ? "the survey did not run it" : `score ${row.score.toFixed(1)} on ${row.scoreOn}${other}`;
    return (
      `${row.name} (${row.configuration}) ${word === "tight" ? "is tight" : word} with a peak of ` +
      `${gigabytes(parts.peak, 2)}${at}; it trains ${percent(row.trained)} % of the model; ${overhead}; ${score}`
    );
  }

  /** The answer in sentences: how many fit, what to use and why, and the setting. */
  function sentences({ question, choices }) {
    const number = (word) => choices.filter((choice) => choice.standing === word).length;
    const [fit, tight] = [number("fits"), number("tight")];
    const what = question.merge ? " with no inference overhead once merged" : "";
    const found = [
      choices.length
        ? `Of ${choices.length} configurations${what}, ${fit} ${fit === 1 ? "fits" : "fit"} in ` +
          `${gigabytes(question.memory, 2)} and ${tight} ${tight === 1 ? "is" : "are"} tight.`
        : "No method leaves so little at inference (no inference overhead once merged).",
    ];
    const able = choices.filter((choice) => choice.standing !== "does not fit" || choice.batch > 0);
    const best = able.reduce((a, b) => (b.row.score !== null && (!a || b.row.score > a.row.score) ? b : a), null);
    const [first] = choices;
    if (best) found.push(`Highest score in the survey's experiment: ${described(best, question.merge)}.`);
    if (first && first.standing !== "does not fit" && first !== best) {
      found.push(`First in the ranking: ${described(first, question.merge)}.`);
    }
    found.push(
      `Setting: batch ${question.batch}, inputs of ${question.length} positions, targets of 8 (where there is a decoder ` +
        `behind an encoder), ${question.dtype} for weights, gradients, activations and optimizer state alike.`,
    );
    return found;
  }

  const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
  const escape = (text) => String(text).replace(/[&<>"']/g, (sign) => SIGNS[sign]);

  function bar(parts, question) {
    const rest = Math.max(0, parts.peak - parts.weights - parts.optimizer);
    const label =
      `weights ${gigabytes(parts.weights, 1)}, optimizer state ${gigabytes(parts.optimizer, 1)}, ` +
      `activations, gradients and the rest ${gigabytes(rest, 1)}`;
    let left = 100;
    const pieces = [["weights", parts.weights], ["optimizer", parts.optimizer], ["rest", rest]].map(([kind, size]) => {
      const width = Math.min(left, (100 * size) / (BAR * question.memory));
      left -= width;
      return `<i class="${kind}" style="width:${width.toFixed(1)}%"></i>`;
    });
    const text = gigabytes(parts.peak, 1);
    return `<span class="fit-bar" role="img" aria-label="${label}" title="${label}">${pieces.join("")}</span> ${text}`;
  }

  /** A page of the site from here; where sites are opened as files, pages are files. */
  const asFile = typeof location !== "undefined" && location.pathname.endsWith("/fit.html");
  const address = (page) => (asFile ? `${page}.html` : `../${page}/`);

  function rowHtml({ row, parts, batch, standing: word }, question, data) {
    const state = question.merge ? 1 : 0;
    const mark = row.reconstruction ? ' <span class="absent">reconstruction</span>' : "";
    const as = row.scoreOf ? `<br><span class="absent">as ${escape(row.scoreOf)}</span>` : "";
    const overhead = row.overhead[state].split("+").map((kind) => data.overheads[kind]).join(" + ");
    const page = address(`methods/${escape(row.configuration.split("/")[0])}`);
    const left = escape(overhead) + (row.flops[state] >= 0.05 ? `, ${row.flops[state].toFixed(1)} % FLOPs` : "");
    const evaluated = row.evaluated === null ? "not stated" : row.evaluated ? "yes" : "no";
    const cells = [
      `<a href="${page}">${escape(row.name)}</a>` +
        `<br><code>${escape(row.configuration)}</code>${mark}`,
      `<span class="outcome ${BADGES[word]}">${word}</span>`,
      bar(parts, question),
      batch < data.largestBatch ? batch : `${data.largestBatch} or more`,
      `<a href="${page}#configurations">${percent(row.trained)}</a>`,
      stored(row.stored),
      `<a href="${page}#costs">${left}</a>`,
      row.score === null ? "not run" : `<a href="${address("survey/table-4")}">${row.score.toFixed(1)}</a>${as}`,
      row.printed === null ? "–" : `<a href="${address("survey/memory")}">${row.printed.toFixed(1)}</a>`,
      `<a href="${address("survey/tables-1-2")}">${evaluated}</a>`,
    ];
    return `<tr><td>${cells.join("</td><td>")}</td></tr>`;
  }

  const rows = ({ question, choices }, data) => choices.map((choice) => rowHtml(choice, question, data)).join("\n");

  /** A setting from the part of the address behind #; what is missing or makes no sense is the example's. */
  function parse(text, data) {
    const given = new URLSearchParams(text);
    const setting = { ...data.example };
    if (Object.hasOwn(data.rows, given.get("model") || "")) setting.model = given.get("model");
    if (["bfloat16", "float32"].includes(given.get("dtype"))) setting.dtype = given.get("dtype");
    if (given.has("merge")) setting.merge = given.get("merge") === "1";
    const limits = { memory: [1, 10000], batch: [1, data.largestBatch], length: [8, 4096] };
    for (const [name, [least, most]] of Object.entries(limits)) {
      const number = Number(given.get(name));
      const whole = name === "memory" || Number.isInteger(number);
      if (given.get(name) && whole && number >= least && number <= most) setting[name] = number;
    }
    return setting;
  }

  function written(setting) {
    return new URLSearchParams({ ...setting, merge: setting.merge ? "1" : "0" }).toString();
  }

  function start(data) {
    const form = document.getElementById("fit-form");
    const place = (name) => form.elements.namedItem(name);
    const show = (setting) => {
      const answer = rank(data, setting);
      const named = [...place("model").options].find((option) => option.value === setting.model).text;
      const lines = sentences(answer).map((line) => `<p>${escape(line)}</p>`);
      lines[0] = lines[0].replace("<p>", `<p><strong>${escape(named)}.</strong> `);
      lines.push(lines.pop().replace("<p>", '<p class="fit-setting">'));
      document.getElementById("fit-answer").innerHTML = lines.join("");
      document.getElementById("fit-rows").innerHTML = rows(answer, data);
      const on = answer.choices.find((choice) => choice.row.scoreOn);
      document.getElementById("fit-score-on").textContent = on ? on.row.scoreOn : "a T5";
    };
    const restore = () => {
      const setting = parse(location.hash.slice(1), data);
      for (const [name, value] of Object.entries(setting)) {
        if (name === "merge") place(name).checked = value;
        else place(name).value = value;
      }
      show(setting);
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      if (!form.checkValidity()) return; // half-typed numbers; the browser marks them
      const chosen = new URLSearchParams(new FormData(form));
      chosen.set("merge", chosen.has("merge") ? "1" : "0");
      const setting = parse(chosen, data);
      history.replaceState(null, "", `#${written(setting)}`);
      show(setting);
    });
    window.addEventListener("hashchange", () => {
      if (location.hash.includes("=")) restore();
    });
    form.hidden = false;
    if (location.hash.includes("=")) restore();
  }

  if (typeof module !== "undefined") module.exports = { rank, sentences, rows, parse, written };
  else {
    const text = document.getElementById("fit-data");
    if (text) start(JSON.parse(text.textContent));
  }
})();
