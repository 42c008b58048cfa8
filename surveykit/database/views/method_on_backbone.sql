-- method_on_backbone: one row per method and backbone, with the counts of the method's default configuration.
-- Percentages are of the bare backbone. A method that was not measured there has NULL in the measured columns.
-- This is where the joins behind `methods` are. It is the one view that is stored as a table, because a query should
-- not have to plan twelve joins; nothing can get out of step, as the database is never written to again.
CREATE TABLE method_on_backbone AS
WITH column_of AS (
    SELECT
        method,
        max(value) FILTER (name = 'type') AS type,
        max(value) FILTER (name = 'disk') AS disk,
        max(value) FILTER (name = 'ram') AS ram,
        max(value) FILTER (name = 'bp') AS bp,
        max(value) FILTER (name = 'overhead') AS overhead,
        max(source) FILTER (name = 'type') AS type_source,
        max(source) FILTER (name = 'disk') AS disk_source,
        max(source) FILTER (name = 'ram') AS ram_source,
        max(source) FILTER (name = 'bp') AS bp_source,
        max(source) FILTER (name = 'overhead') AS overhead_source,
        CASE WHEN bool_and(source = 'survey_table') THEN 'survey' ELSE 'ours' END AS word_of
    FROM attribute
    GROUP BY method
),
printed_in_table2 AS (
    SELECT
        method,
        max(value_min) FILTER (column_name = 'trainable_percent') AS trainable_percent_min,
        max(value_max) FILTER (column_name = 'trainable_percent') AS trainable_percent_max,
        max(value_min) FILTER (column_name = 'changed_percent') AS changed_percent_min,
        max(value_max) FILTER (column_name = 'changed_percent') AS changed_percent_max,
        max(printed) FILTER (column_name = 'trainable_percent') AS trainable_percent_printed,
        max(printed) FILTER (column_name = 'changed_percent') AS changed_percent_printed,
        max(printed) FILTER (column_name = 'under_1b') = '✓' AS evaluated_under_1b,
        max(printed) FILTER (column_name = 'under_20b') = '✓' AS evaluated_under_20b,
        max(printed) FILTER (column_name = 'over_20b') = '✓' AS evaluated_over_20b
    FROM claim
    WHERE table_number = 2
    GROUP BY method
),
judged AS (
    SELECT
        method,
        count(*) FILTER (verdict = 'match') AS figures_match,
        count(*) FILTER (verdict = 'differs') AS figures_differ
    FROM verdict
    GROUP BY method
),
cells AS (
    SELECT
        method,
        count(*) FILTER (verdict IN ('match', 'within_range')) AS cells_match,
        count(*) FILTER (found_by = 'search') AS cells_found_by_search,
        count(*) FILTER (verdict IN ('differs', 'partly', 'outside_range')) AS cells_differ
    FROM cell_verdict
    GROUP BY method
),
declared AS (  -- the setting in which memory is judged, with each backbone's batch
    SELECT memory_use.configuration, memory_use.backbone, memory_use.peak, memory_use.is_stale
    FROM memory_use
    JOIN judging USING (length, dtype)
),
matched AS (  -- the smallest id, where a method has more than one
    SELECT configuration.method, measurement.backbone,
        min(configuration.id) AS configuration, min_by(measurement.trainable, configuration.id) AS trainable
    FROM configuration
    JOIN measurement ON measurement.configuration = configuration.id
    WHERE configuration.is_matched
    GROUP BY configuration.method, measurement.backbone
),
found_in AS (
    SELECT method, bool_or(library = 'peft') AS in_peft, bool_or(library = 'adapters') AS in_adapters
    FROM implementation
    GROUP BY method
)
SELECT
    method.id,
    method.name,
    column_of.type,
    CAST(column_of.disk AS BOOLEAN) AS disk,
    CAST(column_of.ram AS BOOLEAN) AS ram,
    CAST(column_of.bp AS BOOLEAN) AS bp,
    column_of.overhead,
    overhead.overhead_ffn,
    overhead.overhead_linear,
    overhead.overhead_gating,
    overhead.overhead_input,
    overhead.overhead_decoder,
    method.family,
    method.section,
    paper.year,
    method.paper,
    printed_in_table2.trainable_percent_min,
    printed_in_table2.trainable_percent_max,
    printed_in_table2.changed_percent_min,
    printed_in_table2.changed_percent_max,
    printed_in_table2.trainable_percent_printed,
    printed_in_table2.changed_percent_printed,
    printed_in_table2.evaluated_under_1b,
    printed_in_table2.evaluated_under_20b,
    printed_in_table2.evaluated_over_20b,
    coalesce(found_in.in_peft, false) AS in_peft,
    coalesce(found_in.in_adapters, false) AS in_adapters,
    method.reconstruction IS NOT NULL AS is_reconstruction,
    configuration.id AS configuration,
    configuration.name AS configuration_name,
    backbone.id AS backbone,
    measurement.trainable AS trainable_measured,
    CAST(measurement.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent_measured,
    matched.configuration AS configuration_matched,
    matched.trainable AS trainable_matched,
    CAST(matched.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent_matched,
    measurement.added AS added_measured,
    measurement.stored AS stored_measured,
    measurement.effective AS effective_measured,
    CAST(measurement.changed * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS changed_percent_measured,
    CAST((measurement.changed + measurement.expanded) * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS changed_added_percent_measured,
    measurement.update_rank AS update_rank_measured,
    measurement.stored_bytes AS stored_bytes_measured,
    measurement.stored_bytes <= disk.saved_at_most * judging.stored_value_bytes * backbone.parameters AS disk_measured,
    CAST(memory.peak AS DOUBLE) / CAST(full_memory.peak AS DOUBLE) AS ram_ratio,
    CAST(memory.peak AS DOUBLE) / 1000000000 AS ram_gb_predicted,
    memory.peak <= full_memory.peak * ram.saved_at_most AS ram_measured,
    cost.backward AS bp_measured,
    CAST(cost.activation_gradient_flops AS DOUBLE) / CAST(full_cost.activation_gradient_flops AS DOUBLE) AS bp_share,
    cost.overhead_unmerged,
    cost.overhead_merged,
    CAST(cost.inference_flops - cost.bare_flops AS DOUBLE) * 100 / CAST(cost.bare_flops AS DOUBLE) AS inference_flops_percent,
    CAST(cost.merged_flops - cost.bare_flops AS DOUBLE) * 100 / CAST(cost.bare_flops AS DOUBLE) AS merged_flops_percent,
    trial.merge AS merges,
    coalesce(cells.cells_match, 0) AS cells_match,
    coalesce(cells.cells_found_by_search, 0) AS cells_found_by_search,
    coalesce(cells.cells_differ, 0) AS cells_differ,
    measurement.is_stale OR coalesce(cost.is_stale, false) OR coalesce(memory.is_stale, false)
        OR coalesce(full_cost.is_stale, false) OR coalesce(full_memory.is_stale, false) OR coalesce(trial.is_stale, false)
        AS is_stale,
    coalesce(judged.figures_match, 0) AS figures_match,
    coalesce(judged.figures_differ, 0) AS figures_differ,
    column_of.type_source,
    column_of.disk_source,
    column_of.ram_source,
    column_of.bp_source,
    column_of.overhead_source,
    column_of.word_of
FROM method
JOIN paper ON paper.key = method.paper
CROSS JOIN backbone
CROSS JOIN judging
LEFT JOIN quantity AS disk ON disk.id = 'disk'
LEFT JOIN quantity AS ram ON ram.id = 'ram'
LEFT JOIN configuration ON configuration.method = method.id AND configuration.is_default
LEFT JOIN column_of ON column_of.method = method.id
LEFT JOIN overhead ON overhead.method = method.id
LEFT JOIN printed_in_table2 ON printed_in_table2.method = method.id
LEFT JOIN found_in ON found_in.method = method.id
LEFT JOIN judged ON judged.method = method.id
LEFT JOIN measurement ON measurement.configuration = configuration.id AND measurement.backbone = backbone.id
LEFT JOIN matched ON matched.method = method.id AND matched.backbone = backbone.id
LEFT JOIN cost ON cost.configuration = configuration.id AND cost.backbone = backbone.id
LEFT JOIN cost AS full_cost ON full_cost.configuration = judging.full_tuning AND full_cost.backbone = backbone.id
LEFT JOIN declared AS memory ON memory.configuration = configuration.id AND memory.backbone = backbone.id
LEFT JOIN declared AS full_memory
    ON full_memory.configuration = judging.full_tuning AND full_memory.backbone = backbone.id
LEFT JOIN trial ON trial.configuration = configuration.id
LEFT JOIN cells ON cells.method = method.id
ORDER BY backbone.id, method.id;
COMMENT ON TABLE method_on_backbone IS 'One row per method and backbone; columns as in methods';
COMMENT ON COLUMN method_on_backbone.id IS 'Name of its file in catalog/methods';
COMMENT ON COLUMN method_on_backbone.name IS 'Name for readers';
COMMENT ON COLUMN method_on_backbone.type IS 'A additive, S selective, R reparametrization-based, or several; none for full tuning';
COMMENT ON COLUMN method_on_backbone.disk IS 'Whether it saves disk space';
COMMENT ON COLUMN method_on_backbone.ram IS 'Whether it saves memory in training';
COMMENT ON COLUMN method_on_backbone.bp IS 'Whether it saves backpropagation through the backbone';
COMMENT ON COLUMN method_on_backbone.overhead IS 'What inference costs: none, or kinds joined by +';
COMMENT ON COLUMN method_on_backbone.overhead_ffn IS 'Inference: additional feed-forward network';
COMMENT ON COLUMN method_on_backbone.overhead_linear IS 'Inference: additional linear layer';
COMMENT ON COLUMN method_on_backbone.overhead_gating IS 'Inference: additional gating or scaling';
COMMENT ON COLUMN method_on_backbone.overhead_input IS 'Inference: longer input';
COMMENT ON COLUMN method_on_backbone.overhead_decoder IS 'Inference: additional decoder';
COMMENT ON COLUMN method_on_backbone.family IS 'Family in the survey''s taxonomy';
COMMENT ON COLUMN method_on_backbone.section IS 'Section of the survey that describes it';
COMMENT ON COLUMN method_on_backbone.year IS 'Year of its paper';
COMMENT ON COLUMN method_on_backbone.paper IS 'Key of its paper';
COMMENT ON COLUMN method_on_backbone.trainable_percent_min IS 'Table 2: trainable parameters in percent, lower end';
COMMENT ON COLUMN method_on_backbone.trainable_percent_max IS 'Table 2: trainable parameters in percent, upper end';
COMMENT ON COLUMN method_on_backbone.changed_percent_min IS 'Table 2: changed parameters in percent, lower end';
COMMENT ON COLUMN method_on_backbone.changed_percent_max IS 'Table 2: changed parameters in percent, upper end';
COMMENT ON COLUMN method_on_backbone.trainable_percent_printed IS 'Table 2: trainable parameters in percent, as printed';
COMMENT ON COLUMN method_on_backbone.changed_percent_printed IS 'Table 2: changed parameters in percent, as printed';
COMMENT ON COLUMN method_on_backbone.evaluated_under_1b IS 'Table 2: evaluated on models of fewer than 1 billion parameters';
COMMENT ON COLUMN method_on_backbone.evaluated_under_20b IS 'Table 2: evaluated on models of fewer than 20 billion parameters';
COMMENT ON COLUMN method_on_backbone.evaluated_over_20b IS 'Table 2: evaluated on models of more than 20 billion parameters';
COMMENT ON COLUMN method_on_backbone.in_peft IS 'Whether Hugging Face PEFT has it';
COMMENT ON COLUMN method_on_backbone.in_adapters IS 'Whether the library adapters has it';
COMMENT ON COLUMN method_on_backbone.is_reconstruction IS 'Whether we had to fill in what the paper leaves open';
COMMENT ON COLUMN method_on_backbone.configuration IS 'Default configuration, whose counts these are';
COMMENT ON COLUMN method_on_backbone.configuration_name IS 'Its name: what the measured columns are of';
COMMENT ON COLUMN method_on_backbone.backbone IS 'Backbone of the measured counts';
COMMENT ON COLUMN method_on_backbone.trainable_measured IS 'Measured: parameters that the optimizer holds';
COMMENT ON COLUMN method_on_backbone.trainable_percent_measured IS 'Measured: trainable parameters in percent of the base model''s';
COMMENT ON COLUMN method_on_backbone.configuration_matched IS 'Configuration with places and rank of LoRA''s default, query and value at rank 8; NULL where the method has none';
COMMENT ON COLUMN method_on_backbone.trainable_matched IS 'Measured: trainable parameters of that configuration, so that methods can be compared at one setting';
COMMENT ON COLUMN method_on_backbone.trainable_percent_matched IS 'Measured: trainable parameters of the matched configuration in percent of the base model''s';
COMMENT ON COLUMN method_on_backbone.added_measured IS 'Measured: new parameters';
COMMENT ON COLUMN method_on_backbone.stored_measured IS 'Measured: numbers to keep for each task';
COMMENT ON COLUMN method_on_backbone.effective_measured IS 'Measured: of the parameters of the last stage, those that may move';
COMMENT ON COLUMN method_on_backbone.changed_percent_measured IS 'Measured: pretrained entries that can change, in percent of the bare backbone';
COMMENT ON COLUMN method_on_backbone.changed_added_percent_measured IS 'Measured: changed parameters and those added after merging, in percent of the base model''s';
COMMENT ON COLUMN method_on_backbone.update_rank_measured IS 'Measured: largest rank of the change of a pretrained matrix';
COMMENT ON COLUMN method_on_backbone.stored_bytes_measured IS 'Measured: bytes to keep for each task, at 4 bytes a number; a file that keeps trained base weights in 2 bytes is half as large';
COMMENT ON COLUMN method_on_backbone.disk_measured IS 'Measured: whether these are at most the share of the base model''s that the quantity disk names';
COMMENT ON COLUMN method_on_backbone.ram_ratio IS 'Predicted peak memory of training as a share of full tuning''s, at 256 positions in bfloat16';
COMMENT ON COLUMN method_on_backbone.ram_gb_predicted IS 'Predicted peak memory of training in GB of 10^9 bytes, in the same setting';
COMMENT ON COLUMN method_on_backbone.ram_measured IS 'Whether that share is at most that of the quantity ram';
COMMENT ON COLUMN method_on_backbone.bp_measured IS 'How far backward runs into the backbone''s blocks: none, partial or full';
COMMENT ON COLUMN method_on_backbone.bp_share IS 'FLOPs for activation gradients in the blocks as a share of full tuning''s';
COMMENT ON COLUMN method_on_backbone.overhead_unmerged IS 'Measured: what inference costs with edits beside the weights';
COMMENT ON COLUMN method_on_backbone.overhead_merged IS 'Measured: kinds of inference overhead after merging what can be merged';
COMMENT ON COLUMN method_on_backbone.inference_flops_percent IS 'Measured: additional FLOPs of an inference pass, edits beside the weights, in percent';
COMMENT ON COLUMN method_on_backbone.merged_flops_percent IS 'Measured: extra FLOPs of one inference pass after merging, in percent of the base model''s';
COMMENT ON COLUMN method_on_backbone.merges IS 'Whether a trial merged it: exact, partly or none';
COMMENT ON COLUMN method_on_backbone.cells_match IS 'Cells of Tables 1 and 2 that match or lie in range';
COMMENT ON COLUMN method_on_backbone.cells_found_by_search IS 'Of these, cells that another configuration, base model or sense than the default one gives';
COMMENT ON COLUMN method_on_backbone.cells_differ IS 'Cells of Tables 1 and 2 that differ, differ in part or lie out of range';
COMMENT ON COLUMN method_on_backbone.is_stale IS 'Whether what one of its figures rests on (recipe, backbone, settings, code) changed since';
COMMENT ON COLUMN method_on_backbone.figures_match IS 'Printed parameter figures of Table 5 that match ours';
COMMENT ON COLUMN method_on_backbone.figures_differ IS 'Printed parameter figures of Table 5 that differ from ours';
COMMENT ON COLUMN method_on_backbone.type_source IS 'Where type comes from';
COMMENT ON COLUMN method_on_backbone.disk_source IS 'Where disk comes from';
COMMENT ON COLUMN method_on_backbone.ram_source IS 'Where ram comes from';
COMMENT ON COLUMN method_on_backbone.bp_source IS 'Where bp comes from';
COMMENT ON COLUMN method_on_backbone.overhead_source IS 'Where overhead comes from';
COMMENT ON COLUMN method_on_backbone.word_of IS 'Whose word type, disk, ram, bp and overhead are: survey (its Table 1), or ours where Table 1 has no row';
