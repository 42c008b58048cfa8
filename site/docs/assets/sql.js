// The console of the page "SQL in the browser". The engine is loaded when it is first needed, never before.

const console_ = document.getElementById("sql-console");
const part = (name) => document.getElementById(`sql-${name}`);
const [text, run, stop, csv, share, status, error, result] = [
  "text", "run", "stop", "csv", "link", "status", "error", "result",
].map(part);
const here = (path) => new URL(`${console_.dataset.base}/${path}`, document.baseURI).href;
const LONG = 50; // characters of a cell that may break into lines
const SHOWN = 500; // rows in the page; the CSV has all
const TYPES = { Utf8: "text", Int: "integer", Float: "number", Decimal: "decimal", Bool: "true or false", Date: "date", List: "list" };
const NAME = "surveykit.duckdb";

let files = null; // what was fetched: kept, so that a stopped engine starts again without the network
let session = null; // a worker with its connection
let answer = null; // columns and rows of the last query

const say = (message) => (status.textContent = message);
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Fetch a file that may be packed, whatever the host does about it. */
async function fetchUnpacked(path, progress) {
  const response = await fetch(here(path));
  if (!response.ok) throw new Error(`${path}: ${response.status} ${response.statusText}`);
  const chunks = [];
  for (let reader = response.body.getReader(), step; !(step = await reader.read()).done; ) {
    chunks.push(step.value);
    progress(step.value.length);
  }
  const blob = new Blob(chunks);
  const [first, second] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  if (first !== 0x1f || second !== 0x8b) return blob;
  return new Response(blob.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
}

async function fetchAll() {
  let sum = 0;
  const progress = (bytes) => say(`Loading: ${megabytes((sum += bytes))}`);
  const [library, wasm, database] = await Promise.all([
    import(here("assets/duckdb/engine.js")),
    fetchUnpacked("assets/duckdb/duckdb-eh.wasm.gz", progress),
    fetchUnpacked(`downloads/${NAME}.gz`, progress),
  ]);
  const module = URL.createObjectURL(new Blob([wasm], { type: "application/wasm" }));
  return { library, module, database };
}

/** A worker with the database open: read-only, without extensions, and so that no query can change that. */
async function start() {
  files ??= await fetchAll();
  say("Starting DuckDB …");
  const { AsyncDuckDB, VoidLogger, DuckDBAccessMode } = files.library;
  const engine = new AsyncDuckDB(new VoidLogger(), new Worker(here("assets/sql-worker.js")));
  await engine.instantiate(files.module);
  await engine.registerFileBuffer(NAME, new Uint8Array(await files.database.arrayBuffer()));
  await engine.open({ path: NAME, accessMode: DuckDBAccessMode.READ_ONLY });
  const connection = await engine.connect();
  for (const setting of ["autoinstall_known_extensions", "autoload_known_extensions", "enable_external_access"]) {
    await connection.query(`SET ${setting} = false`);
  }
  await connection.query("SET lock_configuration = true");
  return { engine, connection };
}

async function ask() {
  if (run.disabled) return;
  const sql = text.value.trim();
  if (!sql) {
    show(null);
    say("There is no query to run: write one above.");
    return text.focus();
  }
  remember(sql);
  show(null);
  run.disabled = true;
  stop.hidden = false;
  let current = session;
  try {
    current = session ??= await start();
    run.textContent = "Run";
    say("Running …");
    const before = performance.now();
    const table = await current.connection.query(sql);
    if (session !== current) return; // it was stopped
    show(readable(table));
    const count = answer.rows.length;
    const more = count > SHOWN ? `; the first ${SHOWN} are shown, the CSV has all` : "";
    const took = Math.max(1, Math.round(performance.now() - before));
    say(`${count.toLocaleString("en")} ${count === 1 ? "row" : "rows"} in ${took} ms${more}. DuckDB ${console_.dataset.duckdb} in this browser.`);
  } catch (problem) {
    if (current !== session) return;
    say("");
    const [said, ...lines] = kind(problem).split(/\n\n(?=LINE )/);
    error.replaceChildren(said, ...lines.map((line) => Object.assign(document.createElement("span"), { textContent: `\n${line}` })));
    error.hidden = false;
  } finally {
    if (current === session) {
      run.disabled = false;
      stop.hidden = true;
    }
  }
}

/** An error in words that help: what DuckDB says of the query, or why a function is not here. */
function kind(problem) {
  const message = String(problem?.message ?? problem).trim();
  const extension = /exists in the (\w+) extension/.exec(message);
  if (extension) {
    const name = /with name "?([^"\s]+)/.exec(message)?.[1] ?? "This";
    return `${name} belongs to DuckDB's extension "${extension[1]}", and this page loads no extensions. The command line may have it: surveykit query --sql "…"`;
  }
  if (/Failed to fetch|NetworkError|dynamically imported|: 404 /.test(message)) {
    return `The engine could not be loaded (${message}). Pages opened as files cannot load it; a web server can, such as: python -m http.server`;
  }
  return message.replace(/\n{2,}LINE[\s\S]*?(?=\n{2,}LINE)/, "");
}

/** Columns with their types, and rows of text, true, false or null. */
function readable(table) {
  const { Type } = files.library;
  const fields = table.schema.fields;
  const columns = fields.map(({ name, type }) => ({
    name,
    type: TYPES[Type[type.typeId]] ?? "other",
    number: [Type.Int, Type.Float, Type.Decimal].includes(type.typeId),
  }));
  const rows = [];
  for (let i = 0; i < table.numRows; i++) {
    rows.push(fields.map(({ type }, j) => plain(table.getChildAt(j).get(i), type, Type)));
  }
  return { columns, rows };
}

function plain(value, type, Type) {
  if (value === null || value === undefined) return null;
  if (type.typeId === Type.Decimal) return decimal(value, type.scale);
  if (type.typeId === Type.Date) return new Date(Number(value)).toISOString().slice(0, 10);
  if (typeof value === "object") return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner));
  return typeof value === "boolean" ? value : String(value);
}

/** Four 32-bit words, the lowest first, as a number with all its digits and without zeros that say nothing. */
function decimal(words, scale) {
  let whole = 0n;
  for (let i = words.length - 1; i >= 0; i--) whole = (whole << 32n) | BigInt(words[i] >>> 0);
  whole = BigInt.asIntN(32 * words.length, whole);
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, "0");
  const fraction = scale ? digits.slice(-scale).replace(/0+$/, "") : "";
  const integer = scale ? digits.slice(0, -scale) : digits;
  return `${whole < 0n ? "-" : ""}${integer}${fraction ? `.${fraction}` : ""}`;
}

function show(found) {
  answer = found;
  error.hidden = true;
  csv.hidden = result.hidden = found === null;
  result.replaceChildren();
  if (!found) return;
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const { name, type, number } of found.columns) {
    const cell = document.createElement("th");
    cell.className = number ? "number" : "";
    cell.scope = "col";
    cell.append(name, Object.assign(document.createElement("small"), { textContent: type }));
    head.append(cell);
  }
  const body = table.createTBody();
  for (const row of found.rows.slice(0, SHOWN)) {
    const line = body.insertRow();
    row.forEach((value, i) => {
      const cell = line.insertCell();
      cell.textContent = value === null ? "null" : String(value);
      if (value === null) cell.className = "null";
      else if (found.columns[i].number) cell.className = "number";
      else if (String(value).length > LONG) cell.className = "long";
    });
  }
  result.append(table);
}

function download() {
  const cell = (value) => (value === null ? "" : /[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : String(value));
  const lines = [answer.columns.map(({ name }) => name), ...answer.rows].map((row) => row.map(cell).join(","));
  const address = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  Object.assign(document.createElement("a"), { href: address, download: "query.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}

function halt() {
  session?.engine.terminate();
  session = null;
  run.disabled = false;
  stop.hidden = true;
  say("Stopped. The next query starts the engine again.");
}

const remember = (sql) => history.replaceState(null, "", `#q=${encodeURIComponent(sql)}`);

/** Put a query into the field. A running engine answers it; an address or a table alone does not load one. */
function put(sql) {
  text.value = sql;
  text.rows = Math.max(7, sql.split("\n").length + 1);
  if (session) ask();
  else run.focus();
}

/** Take the query out of the address, if it has one. */
function recall() {
  if (!location.hash.startsWith("#q=")) return;
  put(decodeURIComponent(location.hash.slice(3)));
  console_.scrollIntoView();
}

run.addEventListener("click", ask);
stop.addEventListener("click", halt);
csv.addEventListener("click", download);
share.addEventListener("click", async () => {
  remember(text.value.trim());
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is in the clipboard.");
  } catch {
    say("The link is in the address bar.");
  }
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    ask();
  }
});
for (const button of console_.querySelectorAll("[data-sql]")) {
  button.addEventListener("click", () => {
    put(button.dataset.sql);
    ask();
  });
}
for (const block of document.querySelectorAll("#sql-schema details")) {
  const name = block.dataset.table;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "md-button", textContent: `Show some rows of ${name}` });
  button.addEventListener("click", () => {
    const argument = block.querySelector("table") ? "" : name === "methods_on" ? "('t5-3b')" : "('t5-large')";
    put(`SELECT *\nFROM ${name}${argument}\nLIMIT 20`);
    console_.scrollIntoView();
    text.focus({ preventScroll: true });
  });
  block.append(button);
}
addEventListener("hashchange", recall);
console_.hidden = false;
recall();
