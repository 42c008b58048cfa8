// Puts the engine into dist/: what the page loads, compressed, with its version and its licences.
// Run by `npm ci && npm run build`; the site's build takes dist/ as it finds it.

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const modules = new URL("node_modules/", import.meta.url);
const duckdb = new URL("@duckdb/duckdb-wasm/", modules);
const dist = new URL("dist/", import.meta.url);

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
await build({
  entryPoints: [new URL("engine.mjs", import.meta.url).pathname],
  outfile: new URL("engine.js", dist).pathname,
  bundle: true,
  format: "esm",
  minify: true,
  legalComments: "none",
});

// A host need not compress WebAssembly by itself; the page unpacks it.
const wasm = await readFile(new URL("dist/duckdb-eh.wasm", duckdb));
await writeFile(new URL("duckdb-eh.wasm.gz", dist), gzipSync(wasm, { level: 9 }));
await copyFile(new URL("dist/duckdb-browser-eh.worker.js", duckdb), new URL("duckdb-eh.worker.js", dist));

await writeFile(new URL("licences.txt", dist), await licences());
await writeFile(new URL("engine.json", dist), `${JSON.stringify(await versions(), null, 2)}\n`);

/** What was bundled, and which DuckDB it says it is. */
async function versions() {
  const { createDuckDB, NODE_RUNTIME, VoidLogger } = createRequire(import.meta.url)(
    "@duckdb/duckdb-wasm/dist/duckdb-node-blocking.cjs",
  );
  const file = (name) => new URL(`dist/${name}`, duckdb).pathname;
  const bundles = {
    mvp: { mainModule: file("duckdb-mvp.wasm"), mainWorker: file("duckdb-node-mvp.worker.cjs") },
    eh: { mainModule: file("duckdb-eh.wasm"), mainWorker: file("duckdb-node-eh.worker.cjs") },
  };
  const engine = await createDuckDB(bundles, new VoidLogger(), NODE_RUNTIME);
  await engine.instantiate();
  const { version } = JSON.parse(await readFile(new URL("package.json", duckdb), "utf8"));
  return {
    duckdb: engine.getVersion().replace(/^v/, ""),
    duckdb_wasm: version,
    wasm_bytes: wasm.length,
  };
}

async function licences() {
  const texts = [["@duckdb/duckdb-wasm", new URL("licence-duckdb-wasm.txt", import.meta.url)]];
  for (const path of ["apache-arrow/LICENSE.txt", "apache-arrow/NOTICE.txt", "flatbuffers/LICENSE", "tslib/LICENSE.txt"]) {
    texts.push([path, new URL(path, modules)]);
  }
  const parts = await Promise.all(texts.map(async ([name, place]) => `== ${name}\n\n${await readFile(place, "utf8")}`));
  return parts.join("\n\n");
}
