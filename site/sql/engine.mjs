// What the page needs of duckdb-wasm and of the Arrow tables in which it answers.
export { AsyncDuckDB, ConsoleLogger, DuckDBAccessMode, DuckDBDataProtocol, LogLevel, VoidLogger } from "@duckdb/duckdb-wasm";
export { Type } from "apache-arrow";
