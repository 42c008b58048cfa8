-- One row per method and base model, with the counts of the method's default configuration; columns as in methods
-- A method that was not measured on a base model has NULL in the measured columns.
-- The joins behind `methods` are here. This is the one view that is stored as a table, because a query should not have to
-- plan twelve joins; nothing can get out of step, as the database is never written to again.
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
        CASE WHEN bool_and(source = judging.word_of) THEN any_value(judging.word_of) ELSE 'ours' END AS word_of
    FROM attribute, judging
    GROUP BY method
),
printed_for_method AS (
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
    FROM claim, judging
    WHERE source = judging.word_of AND backbone IS NULL AND quantity IN ('trainable', 'changed', 'evaluated')
    GROUP BY method
),
judged AS (
    SELECT
        method,
        count(*) FILTER (verdict = 'match') AS figures_match,
        count(*) FILTER (verdict = 'differs') AS figures_differ
    FROM verdict
    WHERE quantity = 'trainable' AND found_by = 'named'
    GROUP BY method
),
cells AS (
    SELECT
        method,
        count(*) FILTER (verdict IN ('match', 'within_range')) AS cells_match,
        count(*) FILTER (found_by = 'search') AS cells_found_by_search,
        count(*) FILTER (verdict IN ('differs', 'partly', 'outside_range')) AS cells_differ
    FROM verdict
    WHERE found_by IS DISTINCT FROM 'named'
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
ideas AS (
    SELECT method, list(name ORDER BY position) AS families
    FROM idea
    GROUP BY method
),
named AS (  -- methods to which the source whose word is shown gives a name
    SELECT DISTINCT printed_name.method
    FROM printed_name
    JOIN judging ON judging.word_of = printed_name.source
),
found_in AS (
    SELECT method, bool_or(library = 'peft') AS in_peft, bool_or(library = 'adapters') AS in_adapters
    FROM implementation
    GROUP BY method
)
SELECT
    method.id,
    method.name,
    column_of.type,  -- A additive, S selective, R reparametrization-based, or several; none for full tuning
    CAST(column_of.disk AS BOOLEAN) AS disk,  -- Whether it saves disk space
    CAST(column_of.ram AS BOOLEAN) AS ram,  -- Whether it saves memory in training
    CAST(column_of.bp AS BOOLEAN) AS bp,  -- Whether it saves backpropagation through the base model
    column_of.overhead,  -- What inference costs: none, or kinds joined by +
    overhead.overhead_ffn,
    overhead.overhead_linear,
    overhead.overhead_gating,
    overhead.overhead_input,
    overhead.overhead_decoder,
    method.family,
    ideas.families,  -- Ideas that it uses, the main one first: a list, as in 'low_rank' IN families
    method.section,
    CASE WHEN judging.word_of IS NOT NULL THEN method.section IS NULL AND named.method IS NULL END AS after_survey,  -- Whether the source whose ticks are shown does not mention it, in a section or a table; NULL if there is no such source
    paper.year,
    method.added,
    method.paper,
    printed_for_method.trainable_percent_min,  -- Printed: trainable parameters in percent, lower end
    printed_for_method.trainable_percent_max,  -- Printed: trainable parameters in percent, upper end
    printed_for_method.changed_percent_min,  -- Printed: changed parameters in percent, lower end
    printed_for_method.changed_percent_max,  -- Printed: changed parameters in percent, upper end
    printed_for_method.trainable_percent_printed,  -- Printed: trainable parameters in percent, as printed
    printed_for_method.changed_percent_printed,  -- Printed: changed parameters in percent, as printed
    printed_for_method.evaluated_under_1b,  -- Printed: evaluated on models of fewer than 1 billion parameters
    printed_for_method.evaluated_under_20b,  -- Printed: evaluated on models of fewer than 20 billion parameters
    printed_for_method.evaluated_over_20b,  -- Printed: evaluated on models of more than 20 billion parameters
    coalesce(found_in.in_peft, false) AS in_peft,  -- Whether Hugging Face PEFT has it
    coalesce(found_in.in_adapters, false) AS in_adapters,  -- Whether the library adapters has it
    method.reconstruction IS NOT NULL AS is_reconstruction,  -- Whether we had to fill in what the paper does not specify
    configuration.id AS configuration,  -- Default configuration, whose counts these are
    configuration.name AS configuration_name,  -- Name of that configuration
    backbone.id AS backbone,  -- Base model of the measured counts
    measurement.trainable AS trainable_measured,  -- Measured: parameters that the optimizer updates
    CAST(measurement.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent_measured,  -- Measured: trainable parameters in percent of the base model's
    matched.configuration AS configuration_matched,  -- Configuration with the places and rank of LoRA's default, query and value at rank 8; NULL if the method has none
    matched.trainable AS trainable_matched,  -- Measured: trainable parameters of the matched configuration, so that methods can be compared in one setting
    CAST(matched.trainable * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS trainable_percent_matched,  -- Measured: trainable parameters of the matched configuration in percent of the base model's
    measurement.added AS added_measured,  -- Measured: parameters that the method adds
    measurement.stored AS stored_measured,  -- Measured: numbers to keep for each task
    measurement.effective AS effective_measured,  -- Measured: trainable parameters of the last stage that a mask lets change
    CAST(measurement.changed * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS changed_percent_measured,  -- Measured: changed parameters in percent of the base model's
    CAST((measurement.changed + measurement.expanded) * 100 AS DOUBLE) / CAST(backbone.parameters AS DOUBLE) AS changed_added_percent_measured,  -- Measured: changed parameters and those added after merging, in percent of the base model's
    measurement.update_rank AS update_rank_measured,  -- Measured: largest rank of the change of a pretrained matrix
    measurement.stored_bytes AS stored_bytes_measured,  -- Measured: bytes to keep for each task, at 4 bytes a number; a file that keeps trained base weights in 2 bytes is half as large
    measurement.stored_bytes <= disk.at_most * judging.stored_value_bytes * backbone.parameters AS disk_measured,  -- Measured: whether stored bytes are at most the share of the base model's bytes that the quantity disk allows
    CAST(memory.peak AS DOUBLE) / CAST(full_memory.peak AS DOUBLE) AS ram_ratio,  -- Predicted peak memory of training as a share of full tuning's, at 256 positions in bfloat16
    CAST(memory.peak AS DOUBLE) / 1000000000 AS ram_gb_predicted,  -- Predicted peak memory of training in GB of 10^9 bytes, in the same setting
    memory.peak <= full_memory.peak * ram.at_most AS ram_measured,  -- Measured: whether that share is within the limit of the quantity ram
    cost.backward AS bp_measured,  -- Measured: how far backward reaches into the blocks: none, partial or full
    CAST(cost.activation_gradient_flops AS DOUBLE) / CAST(full_cost.activation_gradient_flops AS DOUBLE) AS bp_share,  -- FLOPs for activation gradients in the blocks as a share of full tuning's
    cost.overhead_unmerged,
    cost.overhead_merged,
    CAST(cost.inference_flops - cost.bare_flops AS DOUBLE) * 100 / CAST(cost.bare_flops AS DOUBLE) AS inference_flops_percent,  -- Measured: extra FLOPs of one inference pass before merging, in percent of the base model's
    CAST(cost.merged_flops - cost.bare_flops AS DOUBLE) * 100 / CAST(cost.bare_flops AS DOUBLE) AS merged_flops_percent,  -- Measured: extra FLOPs of one inference pass after merging, in percent of the base model's
    trial.merge AS merges,  -- Whether a trial merged it: exact, partly or none
    coalesce(cells.cells_match, 0) AS cells_match,  -- Cells that name no configuration and match our figure or contain it in their range
    coalesce(cells.cells_found_by_search, 0) AS cells_found_by_search,  -- Of these, cells matched by another configuration, base model or sense than the default
    coalesce(cells.cells_differ, 0) AS cells_differ,  -- Cells that name no configuration and differ, differ in part, or do not contain our figure
    measurement.is_stale OR coalesce(cost.is_stale, false) OR coalesce(memory.is_stale, false)
        OR coalesce(full_cost.is_stale, false) OR coalesce(full_memory.is_stale, false) OR coalesce(trial.is_stale, false)
        AS is_stale,  -- Whether a basis of its figures (recipe, model, settings, code) has changed since
    coalesce(judged.figures_match, 0) AS figures_match,  -- Printed counts of named configurations that match ours
    coalesce(judged.figures_differ, 0) AS figures_differ,  -- Printed counts of named configurations that differ from ours
    column_of.type_source,  -- Where type comes from
    column_of.disk_source,  -- Where disk comes from
    column_of.ram_source,  -- Where ram comes from
    column_of.bp_source,  -- Where bp comes from
    column_of.overhead_source,  -- Where overhead comes from
    column_of.word_of  -- Where type, disk, ram, bp and overhead come from: the key of a source, or ours if it does not mention the method
FROM method
JOIN paper ON paper.key = method.paper
CROSS JOIN backbone
CROSS JOIN judging
LEFT JOIN quantity AS disk ON disk.id = 'disk'
LEFT JOIN quantity AS ram ON ram.id = 'ram'
LEFT JOIN configuration ON configuration.method = method.id AND configuration.is_default
LEFT JOIN column_of ON column_of.method = method.id
LEFT JOIN overhead ON overhead.method = method.id
LEFT JOIN printed_for_method ON printed_for_method.method = method.id
LEFT JOIN ideas ON ideas.method = method.id
LEFT JOIN named ON named.method = method.id
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
