// The view as a sheet: the columns that are shown, and the rows that remain in their order, or those that are ticked.

/** A column with claim and measurement is two where both are shown; a measured one says of which model. */
export function sheet(data, state, order) {
  const model = data.models.find(({ id }) => id === state.model).name;
  const columns = data.columns
    .filter((column) => state.columns.has(column.key))
    .flatMap((column) => {
      const sources = state.source === "both" ? column.sources : column.sources.filter((s) => s === state.source);
      const used = sources.length ? sources : column.sources;
      return used.map((source) => {
        const of = source === "measured" && column.onModel ? ` on ${model}` : "";
        return {
          key: column.sources.length > 1 ? `${column.key}_${source}` : column.key,
          head: column.sources.length > 1 ? `${column.head}, ${source}${of}` : `${column.head}${of}`,
          numeric: column.numeric,
          cell: (row) => row.cells[column.key][source],
        };
      });
    });
  const rows = order.map((index) => data.rows[index]).filter((row) => !state.chosen.size || state.chosen.has(row.id));
  return { name: "methods", caption: caption(data.setting, model), columns, rows: rows.map((row) => columns.map((c) => c.cell(row))) };
}

export const caption = (setting, model) =>
  `Measured: each method's default configuration on ${model}. Memory: predicted for ${setting}. Claimed: as printed in the sources.`;
