// The calculator of "Will it fit?". The page is complete without it: it recomputes rows and sentences for other
// questions, in the words of surveykit/fit/words.py and surveykit/site/pages/fit.py; a test compares the two.
"use strict";
(() => {
  const STANDINGS = ["fits", "tight", "does not fit"];
  const BADGES = { fits: "match", tight: "partly", "does not fit": "unresolved" };
  const BAR = 1.5; // widest bar, in memories of the GPU
  const SHOWN_OVER = 3; // contradicting figures that are listed

  const curve = (n, at, batch, length) =>
    n[at] + batch * (n[at + 1] + n[at + 2] * length + n[at + 3] * length * length);

  /** Bytes at a batch and a length, of the stage that needs most; the order of the numbers is that of Scaling.numbers. */
  function memory(n, batch, length) {
    const [weights, gradients, optimizer, floor] = n;
    const held = weights + optimizer;
    const backward = held + Math.max(0, curve(n, 4, batch, length)) + curve(n, 8, batch, length);
    const between = held + curve(n, 12, batch, length);
    const peak = Math.round(Math.max(floor, backward, between));
    const own = { weights, optimizer, peak, passing: peak - held, least: held + gradients };
    const earlier = n.length > 16 ? memory(n.slice(16), batch, length) : own;
    return earlier.peak <= own.peak ? own : earlier;
  }

  const printedExceeds = (row, question, batch) =>
    row.printedBatch !== null && row.printedBatch <= batch && row.printed * 1e9 > question.memory;

  function standing(parts, question, row, batch) {
    const [low, high] = question.errors;
    if (Math.max(parts.peak, Math.round(parts.peak * (1 + high / 100))) <= question.room) return printedExceeds(row, question, batch) ? "tight" : "fits";
    return Math.min(parts.peak, Math.round(parts.peak * (1 + low / 100))) <= question.room ? "tight" : "does not fit";
  }

  function largestBatch(row, question, limit) {
    let low = 0;
    let high = limit + 1;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      const parts = memory(row.memory[question.dtype], middle, question.length);
      if (standing(parts, question, row, middle) === "fits") low = middle;
      else high = middle;
    }
    return low;
  }

  /** Every method that is asked for, best first. */
  function rank(data, setting) {
    const question = {
      ...setting,
      memory: setting.memory * 1e9,
      room: setting.memory * 1e9 - data.context,
      run: data.run[setting.dtype],
      errors: data.errors[setting.model],
      margin: data.margins[setting.model],
    };
    const choices = [];
    for (const row of data.rows[setting.model]) {
      if (setting.merge && row.overhead[1] !== "none") continue;
      const parts = memory(row.memory[setting.dtype], setting.batch, setting.length);
      const batch = largestBatch(row, question, data.largestBatch);
      choices.push({ row, parts, batch, standing: standing(parts, question, row, setting.batch) });
    }
    const score = (choice) => ranked(choice.row) ?? -1;
    choices.sort(
      (a, b) =>
        STANDINGS.indexOf(a.standing) - STANDINGS.indexOf(b.standing) ||
        score(b) - score(a) ||
        a.parts.peak - b.parts.peak ||
        (a.row.configuration < b.row.configuration ? -1 : 1),
    );
    return { question, choices };
  }

  /** The score, unless it is doubtful. */
  const ranked = (row) => (row.scoreCaveat === null ? row.score : null);

  const gigabytes = (size, digits) => `${(size / 1e9).toFixed(digits)} GB`;
  const both = (size) => `${gigabytes(size, 2)} (${(size / 2 ** 30).toFixed(2)} GiB)`;
  const percent = (value) => value.toFixed(value >= 99.5 ? 0 : value >= 0.095 ? 2 : value >= 0.00095 ? 4 : 6);
  function stored(size) {
    for (const [unit, factor] of [["kB", 1e3], ["MB", 1e6]]) {
      if (size < 500 * factor) return `${(size / factor).toFixed(1)} ${unit}`;
    }
    return gigabytes(size, 1);
  }

  function trained(row) {
    const most = `${percent(row.trained)} % of the model`;
    return row.trainedLast === null ? most : `${most} in its largest stage, ${percent(row.trainedLast)} % in its last`;
  }

  function scored(row) {
    if (row.score === null) return "the survey did not run it";
    const other = row.scoreOf ? ` (run as ${row.scoreOf})` : "";
    const doubt = row.scoreCaveat ? `, doubtful: ${row.scoreCaveat}` : "";
    return `score ${row.score.toFixed(1)} on ${row.scoreOn}${other}${doubt}`;
  }

  function described({ row, parts, batch, standing: word }, merge) {
    const left = row.overhead[merge ? 1 : 0];
    const merged = merge ? " once merged" : "";
    const at = batch && word !== "fits" ? `, and fits at batch ${batch}` : "";
    const overhead = left === "none" ? `no inference overhead${merged}` : `inference overhead${merged}: ${left}`;
    return (
      `${row.name} (${row.configuration}) ${word === "tight" ? "is tight" : word} with a peak of ` +
      `${both(parts.peak)}${at}; it trains ${trained(row)}; ${overhead}; ${scored(row)}`
    );
  }

  function headline(choices, question, what) {
    if (!choices.length) return "No method meets the limit on inference overhead (no inference overhead once merged).";
    const [fit, tight, not] = STANDINGS.map((word) => choices.filter((c) => c.standing === word).length);
    const said =
      `With ${question.run}: of ${choices.length} configuration${choices.length === 1 ? "" : "s"}${what}, ${fit} ` +
      `${fit === 1 ? "fits" : "fit"} in ${both(question.memory)}, ${tight} ${tight === 1 ? "is" : "are"} tight and ${not} ` +
      `${not === 1 ? "does" : "do"} not fit.`;
    const never = choices.filter((c) => c.parts.least > question.room).length;
    if (!never) return said;
    return (
      `${said} Of ${never}, weights, gradients and optimizer state alone exceed the memory, whatever the attention and ` +
      "checkpointing."
    );
  }

  /** Predictions below the memory where Table 5 prints more than it. */
  function contradicted(choices, question) {
    const against = choices.filter(
      ({ row, parts }) => parts.peak <= question.memory && printedExceeds(row, question, question.batch),
    );
    if (!against.length) return [];
    const figures = against.slice(0, SHOWN_OVER).map(
      ({ row, parts }) =>
        `${row.configuration} ${gigabytes(parts.peak, 2)} predicted, ${row.printed.toFixed(1)} GB printed at batch ` +
        row.printedBatch,
    );
    const more = against.length > SHOWN_OVER ? `; and ${against.length - SHOWN_OVER} more` : "";
    return [`Table 5 prints more than the memory for this very model: ${figures.join("; ")}${more}.`];
  }

  /** The answer in sentences: how many fit, what to use and why, the setting, and how far predictions are off. */
  function sentences({ question, choices }) {
    const found = [headline(choices, question, question.merge ? " with no inference overhead once merged" : "")];
    const able = choices.filter((c) => ["fits", "tight"].includes(c.standing) || c.batch > 0);
    const best = able.reduce((a, b) => (ranked(b.row) !== null && (!a || ranked(b.row) > ranked(a.row)) ? b : a), null);
    const [first] = choices;
    if (best) found.push(`Highest score in the survey's experiment: ${described(best, question.merge)}.`);
    if (first && ["fits", "tight"].includes(first.standing) && first !== best) {
      found.push(`First in the ranking: ${described(first, question.merge)}.`);
    }
    found.push(
      ...contradicted(choices, question),
      `Setting survey: ${question.run}; batch ${question.batch}, inputs of ${question.length} positions, targets of 8 ` +
        "(where there is a decoder behind an encoder).",
      question.margin,
    );
    return found;
  }

  const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
  const escape = (text) => String(text).replace(/[&<>"']/g, (sign) => SIGNS[sign]);

  function bar(parts, question) {
    const label =
      `weights ${gigabytes(parts.weights, 1)}, optimizer state ${gigabytes(parts.optimizer, 1)}, ` +
      `gradients and activations ${gigabytes(parts.passing, 1)}`;
    let left = 100;
    const pieces = ["weights", "optimizer", "passing"].map((kind) => {
      const size = parts[kind];
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
    const aside = (text) => `<br><span class="absent">${escape(text)}</span>`;
    const as = (row.scoreOf ? aside(`as ${row.scoreOf}`) : "") + (row.scoreCaveat ? aside(`doubtful: ${row.scoreCaveat}`) : "");
    const last = row.trainedLast === null ? "" : aside(`${percent(row.trainedLast)} in the last stage`);
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
      `<a href="${page}#configurations">${percent(row.trained)}</a>${last}`,
      stored(row.stored),
      `<a href="${page}#costs">${left}</a>`,
      row.score === null ? "not run" : `<a href="${address("survey/table-4")}">${row.score.toFixed(1)}</a>${as}`,
      row.printed === null ? "–" : `<a href="${address("survey/memory")}">${row.printed.toFixed(1)}</a>`,
      `<a href="${address("survey/tables-1-2")}">${evaluated}</a>`,
    ];
    return `<tr><td>${cells.join("</td><td>")}</td></tr>`;
  }

  const rows = ({ question, choices }, data) => choices.map((choice) => rowHtml(choice, question, data)).join("\n");

  const limits = (data) => [
    ["memory", "GPU memory", 1, 10000, "a number"],
    ["batch", "Batch", 1, data.largestBatch, "a whole number"],
    ["length", "Input length", 8, 4096, "a whole number"],
  ];

  /** A setting from the form, or from the part of the address behind #, and what in it is none, a sentence each. What is
   * missing is the example's. */
  function read(text, data) {
    const given = new URLSearchParams(text);
    const setting = { ...data.example };
    const faults = [];
    const one = (name, known, fault) => {
      if (!given.has(name)) return;
      if (known.includes(given.get(name))) setting[name] = given.get(name);
      else faults.push(`${fault}: ${given.get(name)}.`);
    };
    one("model", Object.keys(data.rows), "There is no such backbone here");
    one("dtype", ["bfloat16", "float32"], "There are no such numbers here");
    if (given.has("merge")) setting.merge = given.get("merge") === "1";
    for (const [name, label, least, most, kind] of limits(data)) {
      if (!given.has(name)) continue;
      const number = Number(given.get(name));
      const right = given.get(name).trim() && number >= least && number <= most;
      if (right && (kind === "a number" || Number.isInteger(number))) setting[name] = number;
      else faults.push(`${label} must be ${kind} from ${least} to ${most.toLocaleString("en")}.`);
    }
    return { setting, faults };
  }

  function written(setting) {
    return new URLSearchParams({ ...setting, merge: setting.merge ? "1" : "0" }).toString();
  }

  function start(data) {
    const form = document.getElementById("fit-form");
    const place = (name) => form.elements.namedItem(name);
    const answerBox = document.getElementById("fit-answer");
    const show = ({ setting, faults }) => {
      if (faults.length) {
        answerBox.innerHTML = `<p><strong>No answer.</strong> ${escape(faults.join(" "))}</p>`;
        document.getElementById("fit-rows").innerHTML = "";
        return;
      }
      const answer = rank(data, setting);
      const named = [...place("model").options].find((option) => option.value === setting.model).text;
      const lines = sentences(answer).map((line) => `<p>${escape(line)}</p>`);
      lines[0] = lines[0].replace("<p>", `<p><strong>${escape(named)}.</strong> `);
      const small = lines.splice(-2).map((line) => line.replace("<p>", '<p class="fit-setting">'));
      answerBox.innerHTML = [...lines, ...small].join("");
      document.getElementById("fit-rows").innerHTML = rows(answer, data);
      const on = answer.choices.find((choice) => choice.row.scoreOn);
      document.getElementById("fit-score-on").textContent = on ? on.row.scoreOn : "a T5";
    };
    const restore = () => {
      const given = new URLSearchParams(location.hash.slice(1));
      const found = read(given, data);
      for (const [name, value] of Object.entries(found.setting)) {
        if (name === "merge") place(name).checked = value;
        else if (["model", "dtype"].includes(name)) place(name).value = value;
        else place(name).value = given.has(name) ? given.get(name) : value; // what is wrong stays to be seen
      }
      show(found);
    };
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => {
      const chosen = new URLSearchParams(new FormData(form));
      chosen.set("merge", chosen.has("merge") ? "1" : "0");
      const found = read(chosen, data);
      if (!found.faults.length) history.replaceState(null, "", `#${written(found.setting)}`);
      show(found);
    });
    window.addEventListener("hashchange", () => {
      if (location.hash.includes("=")) restore();
    });
    form.hidden = false;
    if (location.hash.includes("=")) restore();
  }

  if (typeof module !== "undefined") module.exports = { rank, sentences, rows, read, written };
  else {
    const text = document.getElementById("fit-data");
    if (text) start(JSON.parse(text.textContent));
  }
})();
